"""A web map on loopback: XYZ tiles and WMS pictures with a planted marker, and the ways such services fail."""

from __future__ import annotations

import math
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable
from urllib.parse import parse_qs, urlparse

import numpy as np
from osgeo import gdal
from qgis.core import QgsDataSourceUri, QgsRasterLayer

ORIGIN = 20037508.342789244
#: The marker, in EPSG:3857, and its size in metres.
MARKER = (1_490_123.4, 6_890_567.8)
SIGMA_M = 6.0


def picture(x_min: float, y_max: float, step: float, width: int, height: int) -> np.ndarray:
    """(4, row, col) uint8: a bright blob at the marker on a dark ground with a faint texture."""
    x = x_min + (np.arange(width) + 0.5) * step
    y = y_max - (np.arange(height) + 0.5)[:, None] * step
    blob = np.exp(-((x - MARKER[0]) ** 2 + (y - MARKER[1]) ** 2) / (2 * SIGMA_M**2))
    # None under the blob: its slope would move the centroid itself.
    texture = 3 * np.sin(x / 11.0) * np.sin(y / 7.0) * (blob < 1e-3)
    grey = np.clip(30 + texture + 200 * blob, 0, 255).round().astype(np.uint8)
    return np.stack([grey, grey, grey, np.full_like(grey, 255)])


def png(bands: np.ndarray) -> bytes:
    memory = gdal.GetDriverByName("MEM").Create("", bands.shape[2], bands.shape[1], bands.shape[0])
    for i, band in enumerate(bands):
        memory.GetRasterBand(i + 1).WriteArray(band)
    path = f"/vsimem/{uuid.uuid4().hex}.png"
    gdal.GetDriverByName("PNG").CreateCopy(path, memory)
    handle = gdal.VSIFOpenL(path, "rb")
    content = gdal.VSIFReadL(1, gdal.VSIStatL(path).size, handle)
    gdal.VSIFCloseL(handle)
    gdal.Unlink(path)
    return bytes(content)


def transparent(_: str) -> tuple[int, str, bytes]:
    return 200, "image/png", png(np.zeros((4, 256, 256), np.uint8))


def grey(_: str) -> tuple[int, str, bytes]:
    return 200, "image/png", png(np.full((4, 256, 256), 200, np.uint8))


def status(code: int) -> Callable[[str], tuple[int, str, bytes]]:
    return lambda _: (code, "text/plain", b"no")


def html(_: str) -> tuple[int, str, bytes]:
    return 200, "text/html", b"<html>Please log in</html>"


def xyz(path: str) -> tuple[int, str, bytes]:
    z, x, y = (int(part.split(".")[0]) for part in path.strip("/").split("/")[-3:])
    step = 2 * ORIGIN / 256 / 2**z
    return 200, "image/png", png(picture(-ORIGIN + x * 256 * step, ORIGIN - y * 256 * step, step, 256, 256))


def wms(path: str) -> tuple[int, str, bytes]:
    query = {key.lower(): values[0] for key, values in parse_qs(urlparse(path).query).items()}
    if query.get("request", "").lower() == "getcapabilities":
        return 200, "text/xml", CAPABILITIES.encode()
    x_min, y_min, x_max, y_max = (float(v) for v in query["bbox"].split(","))
    width, height = int(query["width"]), int(query["height"])
    step = (x_max - x_min) / width
    assert math.isclose(step, (y_max - y_min) / height, rel_tol=1e-6)
    return 200, "image/png", png(picture(x_min, y_max, step, width, height))


CAPABILITIES = """<?xml version="1.0" encoding="UTF-8"?>
<WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms" xmlns:xlink="http://www.w3.org/1999/xlink">
<Service><Name>WMS</Name><Title>t</Title><OnlineResource xlink:href="http://127.0.0.1/"/></Service>
<Capability><Request>
<GetCapabilities><Format>text/xml</Format></GetCapabilities>
<GetMap><Format>image/png</Format></GetMap>
</Request><Exception><Format>XML</Format></Exception>
<Layer><Name>imagery</Name><Title>imagery</Title><CRS>EPSG:3857</CRS>
<EX_GeographicBoundingBox><westBoundLongitude>-180</westBoundLongitude><eastBoundLongitude>180</eastBoundLongitude>
<southBoundLatitude>-85</southBoundLatitude><northBoundLatitude>85</northBoundLatitude></EX_GeographicBoundingBox>
<BoundingBox CRS="EPSG:3857" minx="-20037508" miny="-20037508" maxx="20037508" maxy="20037508"/>
</Layer></Capability></WMS_Capabilities>"""


class WebMap:
    """The server; ``answer`` may be exchanged while it runs.

    Attributes:
        answer: path -> (status, content type, body).
        delay_s: slept before each answer.
        paths: of all requests so far.
    """

    def __init__(self) -> None:
        self.answer: Callable[[str], tuple[int, str, bytes]] = xyz
        self.delay_s = 0.0
        self.paths: list[str] = []
        web_map = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web_map.paths.append(self.path)
                time.sleep(web_map.delay_s)
                code, content_type, body = web_map.answer(self.path)
                self.send_response(code)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                try:
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    return  # the client cancelled

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def xyz_layer(self) -> QgsRasterLayer:
        # A folder of its own for each layer: QGIS caches tiles by address.
        url = f"{self.url}/{uuid.uuid4().hex}/{{z}}/{{x}}/{{y}}.png?key=sesame"
        return self._layer({"type": "xyz", "url": url, "zmin": "0", "zmax": "18"})

    def wms_layer(self) -> QgsRasterLayer:
        self.answer = wms
        url = f"{self.url}/{uuid.uuid4().hex}?"
        return self._layer({"url": url, "layers": "imagery", "styles": "", "format": "image/png", "crs": "EPSG:3857"})

    @staticmethod
    def _layer(parameters: dict[str, str]) -> QgsRasterLayer:
        uri = QgsDataSourceUri()
        for key, value in parameters.items():
            uri.setParam(key, value)
        return QgsRasterLayer(bytes(uri.encodedUri()).decode(), "web", "wms")
