"""A layer as it is displayed, as a GeoTIFF: for layers that are no plain file, before the server reads them.

native_request   an area of a layer at the layer's own, or a wanted, resolution
is_plain_file    whether the file holds exactly what the layer shows
CopyPlan         how many pixels, web tiles and bytes a copy has
write_copy       writes it, block by block, in any thread
"""

from __future__ import annotations

import hashlib
import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsContrastEnhancement,
    QgsFeedback,
    QgsMapSettings,
    QgsRasterBlockFeedback,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QCoreApplication, QSize, Qt
from qgis.PyQt.QtXml import QDomDocument

from .errors import BlankTile, EmptyExtent, TileCancelled, TileError
from .geotiff_bytes import spatial_reference
from .raster_tile import TileArea, TileRequest
from .tile_layout import area_in_layer
from .tile_reader import WEB_SIDE, WebAnswers

#: Side of the tiles that web services hold.
WEB_TILE_PX = 256
_CREATION_OPTIONS = (
    *("TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "ZLEVEL=1", "PREDICTOR=2"),
    *("BIGTIFF=IF_SAFER", "PHOTOMETRIC=RGB", "ALPHA=NON-PREMULTIPLIED"),
)
#: Larger than any raster: the request is then never coarsened.
_NO_LIMIT = 2**62
_CANVAS_PX = 1000


def tr(text: str) -> str:
    return QCoreApplication.translate("LayerCopy", text)


def native_request(layer: QgsRasterLayer, area: Optional[TileArea], *, gsd_m: float = 0.0) -> TileRequest:
    """The area at the layer's own resolution, north up. Main thread only; nothing is read.

    Args:
        layer: any raster layer.
        area: where; all of the layer when None.
        gsd_m: metres on the ground of a pixel, 0 for the layer's own (a web layer's deepest zoom level).

    Raises:
        TileError: the area does not meet the layer, or a web layer says no resolution and ``gsd_m`` is 0.
    """
    if area is None:
        if layer.extent().isEmpty() or not layer.extent().isFinite():
            raise EmptyExtent(
                tr("The layer “{name}” has no end: say which extent to search.").format(name=layer.name())
            )
        area = TileArea(TileArea.rectangle(layer.extent(), layer.crs()).geometry, layer.crs(), title=tr("whole layer"))
    step = _finest_step(layer)
    if step is None and gsd_m <= 0:
        raise EmptyExtent(
            tr("The layer “{name}” has no resolution of its own: say the ground sample distance in metres.").format(
                name=layer.name()
            )
        )
    centre = area_in_layer(area, layer, _upright(layer, 1.0)).boundingBox().center()
    request = TileRequest.from_canvas(layer, area, _upright(layer, step or 1.0, centre), max_pixels=_NO_LIMIT)
    if gsd_m > 0 and request.gsd_m:
        wanted = (step or 1.0) * gsd_m / request.gsd_m
        step = wanted if step is None else max(step, wanted)
        request = TileRequest.from_canvas(layer, area, _upright(layer, step, centre), max_pixels=_NO_LIMIT)
    return request


def _finest_step(layer: QgsRasterLayer) -> Optional[float]:
    provider = layer.dataProvider()
    if provider.xSize() > 0 and provider.ySize() > 0:
        return float(min(layer.rasterUnitsPerPixelX(), layer.rasterUnitsPerPixelY()))
    return min((r for r in provider.nativeResolutions() if r > 0), default=None)


def _upright(layer: QgsRasterLayer, step: float, centre: Any = None) -> QgsMapSettings:
    """A north-up canvas in the layer's CRS whose pixels have ``step`` map units."""
    settings = QgsMapSettings()
    settings.setDestinationCrs(layer.crs())
    settings.setOutputSize(QSize(_CANVAS_PX, _CANVAS_PX))
    centre = layer.extent().center() if centre is None else centre
    half = step * _CANVAS_PX / 2
    settings.setExtent(QgsRectangle(centre.x() - half, centre.y() - half, centre.x() + half, centre.y() + half))
    return settings


def is_plain_file(layer: QgsRasterLayer) -> bool:
    """Whether the file's first three bands, of 8 bits, are drawn as red, green and blue without a stretch."""
    provider, renderer = layer.dataProvider(), layer.renderer()
    if provider is None or provider.name() != "gdal" or not Path(layer.source()).is_file():
        return False
    if renderer is None or renderer.type() != "multibandcolor":
        return False
    if (renderer.redBand(), renderer.greenBand(), renderer.blueBand()) != (1, 2, 3):
        return False
    stretches = (renderer.redContrastEnhancement(), renderer.greenContrastEnhancement())
    stretches += (renderer.blueContrastEnhancement(),)
    return all(provider.dataType(band) == Qgis.DataType.Byte for band in (1, 2, 3)) and all(
        stretch is None
        or stretch.contrastEnhancementAlgorithm() == QgsContrastEnhancement.ContrastEnhancementAlgorithm.NoEnhancement
        or (stretch.minimumValue(), stretch.maximumValue()) == (0.0, 255.0)
        for stretch in stretches
    )


@dataclass(frozen=True)
class CopyPlan:
    """What a copy takes.

    Attributes:
        request: what is copied, on the pixels of ``request.window``.
        name: of the file; the same layer, display and area have the same, so that a copy can be used again.
    """

    request: TileRequest
    name: str

    @classmethod
    def of(cls, layer: QgsRasterLayer, request: TileRequest) -> CopyPlan:
        """The plan of a request for this layer. Main thread."""
        document = QDomDocument()
        element = document.createElement("display")
        document.appendChild(element)
        for part in (layer.renderer(), layer.brightnessFilter(), layer.hueSaturationFilter()):
            if part is not None:
                part.writeXml(document, element)
        told = "\n".join((layer.publicSource(), repr(request.window), document.toString()))
        words = re.sub(r"[^\w]+", "_", layer.name()).strip("_")[:40]
        return cls(request, f"{words}_{hashlib.sha256(told.encode()).hexdigest()[:12]}.tif")

    @property
    def pixels(self) -> int:
        return self.request.window.width * self.request.window.height

    @property
    def web_tiles(self) -> int:
        """Tiles to fetch from the service, 0 for a layer with pixels of its own."""
        if self.request.snapshot.has_size:
            return 0
        window = self.request.window
        return math.ceil(window.width / WEB_TILE_PX + 1) * math.ceil(window.height / WEB_TILE_PX + 1)

    @property
    def most_bytes(self) -> int:
        """What the file takes when nothing of it can be compressed."""
        return 4 * self.pixels

    def sentence(self) -> str:
        """The preflight in words."""
        window = self.request.window
        text = tr("“{name}” is first copied as it is displayed: {width} × {height} pixels, at most {size} MB.").format(
            name=self.request.layer_name,
            width=window.width,
            height=window.height,
            size=max(1, round(self.most_bytes / 1e6)),
        )
        if self.web_tiles:
            text += " " + tr("That is about {n} tiles of the web service.").format(n=self.web_tiles)
        return text


def write_copy(plan: CopyPlan, path: Path, feedback: QgsFeedback) -> Tuple[str, ...]:
    """Writes the copy: red, green, blue and valid, 8 bits each. Memory does not grow with the area.

    Returns:
        Sentences the user should see (parts that a web service does not have).

    Raises:
        TileCancelled: ``feedback`` was cancelled; the file is gone.
        BlankTile: the layer showed nothing, or a web service failed for a part of it.
        TileError: the disk is too small, or GDAL could not write.
    """
    free = shutil.disk_usage(path.parent).free
    if plan.most_bytes > free:
        raise TileError(
            tr("The copy may take {need} MB, and {folder} has {free} MB left. Choose a smaller extent.").format(
                need=round(plan.most_bytes / 1e6), folder=path.parent, free=round(free / 1e6)
            )
        )
    try:
        return _write(plan, path, feedback)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(plan: CopyPlan, path: Path, feedback: QgsFeedback) -> Tuple[str, ...]:
    request, window = plan.request, plan.request.window
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), window.width, window.height, 4, gdal.GDT_Byte, list(_CREATION_OPTIONS)
    )
    if dataset is None:
        raise TileError(tr("GDAL cannot write {path}: {reason}").format(path=path, reason=gdal.GetLastErrorMsg()))
    dataset.SetGeoTransform(list(window.affine.geotransform()))
    reference = spatial_reference(request.crs)
    if reference is not None:
        dataset.SetSpatialRef(reference)
    answers, has_any, is_alpha_ignored, done = WebAnswers(), False, False, 0
    block_feedback = QgsRasterBlockFeedback()
    feedback.canceled.connect(block_feedback.cancel, Qt.ConnectionType.DirectConnection)
    try:
        for row, rows, col, cols in _blocks(window.width, window.height):
            if feedback.isCanceled():
                raise TileCancelled("Reading the layer was cancelled.")
            part = window.rows(row, rows).columns(col, cols)
            rgba, said = request.snapshot.read(part, block_feedback)
            _refuse_failure(request, said)
            answers.failures.extend(said.failures)
            answers.answered += said.answered
            if request.snapshot.alpha_band:
                shown = request.snapshot.read_alpha(part, block_feedback)
                is_alpha_ignored |= shown is None
                if shown is not None:
                    rgba[..., 3] = np.where(shown, rgba[..., 3], 0)
            has_any |= bool(rgba[..., 3].any())
            _write_block(dataset, rgba, row, col)
            done += rows * cols
            feedback.setProgress(100.0 * done / plan.pixels)
    finally:
        feedback.canceled.disconnect(block_feedback.cancel)
    dataset.FlushCache()
    dataset = None  # closes the file
    if not has_any:
        reason = answers.reason()
        raise BlankTile(
            tr("The layer “{name}” shows nothing there: every pixel is nodata or transparent.").format(
                name=request.layer_name
            )
            + (f" ({reason})" if reason else "")
        )
    return tuple(_notes(answers, is_alpha_ignored, request.layer_name))


def _notes(answers: WebAnswers, is_alpha_ignored: bool, name: str) -> Iterator[str]:
    if answers.failures:
        yield tr("Parts of the web layer “{name}” are missing: {reason}.").format(name=name, reason=answers.reason())
    if is_alpha_ignored:
        yield tr("The layer's alpha band was ignored: it does not look like a mask.")


def _blocks(width: int, height: int) -> List[Tuple[int, int, int, int]]:
    """(first row, rows, first column, columns) of each block, on the file's own blocks."""
    side = WEB_SIDE // 512 * 512
    return [
        (row, min(side, height - row), col, min(side, width - col))
        for row in range(0, height, side)
        for col in range(0, width, side)
    ]


def _refuse_failure(request: TileRequest, answers: WebAnswers) -> None:
    if answers.failures and not answers.is_only_missing:
        raise BlankTile(
            tr("The web layer “{name}” could not be fetched: {reason}. Check the connection and run again.").format(
                name=request.layer_name, reason=answers.reason()
            )
        )


def _write_block(dataset: Any, rgba: Any, row: int, col: int) -> None:
    for band in range(4):
        code = dataset.GetRasterBand(band + 1).WriteArray(np.ascontiguousarray(rgba[..., band]), col, row)
        if code:
            raise TileError(tr("GDAL could not write the copy: {reason}").format(reason=gdal.GetLastErrorMsg()))
