"""Reads a layer as it is displayed: its provider and its renderer, cloned, off the main thread.

``LayerSnapshot.of(layer)`` is taken on the main thread and is cheap (nothing is opened or fetched);
``read`` runs in any thread. The layer may be removed in between.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any, List, Optional, Tuple

import numpy as np
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsFeedback,
    QgsNetworkAccessManager,
    QgsNetworkReplyContent,
    QgsRasterBlockFeedback,
    QgsRasterLayer,
    QgsRasterPipe,
    QgsRectangle,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QImage
from qgis.PyQt.QtNetwork import QNetworkRequest

from .errors import LayerGone, TileCancelled
from .tile_grid import NativeGrid, ReadWindow

#: Rows are read in strips of about this many pixels: progress and cancel come between strips.
STRIP_PIXELS = 1024 * 1024
#: Web services are asked for at most so many pixels along a side, as QGIS itself does.
WEB_SIDE = 2000
#: A band flagged as alpha of which more than this part is neither 0 nor full is no mask (a NIR band, often).
MAX_TRANSLUCENT_PART = 0.5

_DTYPES = {1: np.uint8, 2: np.uint16, 3: np.int16, 4: np.uint32, 5: np.int32, 6: np.float32, 7: np.float64, 14: np.int8}


@dataclass
class WebAnswers:
    """What the network and QGIS's log said while a layer was read.

    Attributes:
        failures: (reason, status) of each failed request; status is None when there was no answer.
        answered: requests that succeeded.
        log: warnings of the provider.
    """

    failures: List[Tuple[str, Optional[int]]] = field(default_factory=list)
    answered: int = 0
    log: List[str] = field(default_factory=list)

    @property
    def is_only_missing(self) -> bool:
        """All failures were "not there" (404, 410, 204), as tile services answer outside of their coverage."""
        return all(status in (204, 404, 410) for _, status in self.failures)

    def reason(self) -> str:
        """The commonest failure in words, "" when there was none."""
        reasons = [reason for reason, _ in self.failures]
        if reasons:
            commonest = max(set(reasons), key=reasons.count)
            return f"{commonest} ({len(reasons)} of {len(reasons) + self.answered} requests failed)"
        return self.log[-1] if self.log else ""


class _Listener:
    """Collects WebAnswers from the network manager of the calling thread, and from QGIS's log."""

    def __init__(self) -> None:
        self.answers = WebAnswers()
        self._thread = threading.get_ident()
        self._network: Optional[QgsNetworkAccessManager] = None

    def __enter__(self) -> _Listener:
        # Each thread has its own manager; direct connections keep the slots in the reading thread.
        self._network = QgsNetworkAccessManager.instance()
        self._network.finished[QgsNetworkReplyContent].connect(self._on_reply, Qt.ConnectionType.DirectConnection)
        QgsApplication.messageLog().messageReceived[str, str, Qgis.MessageLevel].connect(
            self._on_message, Qt.ConnectionType.DirectConnection
        )
        return self

    def __exit__(self, *_: Any) -> None:
        if self._network is not None:
            self._network.finished[QgsNetworkReplyContent].disconnect(self._on_reply)
        QgsApplication.messageLog().messageReceived[str, str, Qgis.MessageLevel].disconnect(self._on_message)

    def _on_reply(self, reply: QgsNetworkReplyContent) -> None:
        if threading.get_ident() != self._thread:
            return
        status = reply.attribute(QNetworkRequest.Attribute.HttpStatusCodeAttribute)
        status = int(status) if status is not None else None
        host = reply.request().url().host()
        if reply.error() == 0 and (status is None or 200 <= status < 300) and status != 204:
            self.answers.answered += 1
        elif status is not None:
            phrase = reply.attribute(QNetworkRequest.Attribute.HttpReasonPhraseAttribute) or ""
            self.answers.failures.append((f"{host} answered HTTP {status} {phrase}".strip(), status))
        else:
            self.answers.failures.append((f"{host}: {without_secrets(reply.errorString())}", None))

    def _on_message(self, message: str, tag: str, level: Any) -> None:
        if threading.get_ident() == self._thread and level != Qgis.MessageLevel.Info:
            self.answers.log.append(without_secrets(message))


def without_secrets(text: str) -> str:
    """The text without the query strings and user names of its addresses, where keys and passwords travel.

    Addresses come percent-encoded too, in QGIS's own messages and URIs.
    """
    text = re.sub(r"(?i)(https?(?:://|%3A%2F%2F))[^/\s@]*?(?:@|%40)", r"\1", text)
    return re.sub(r"(?i)(https?(?:://|%3A%2F%2F)[^\s?]*?)(?:\?|%3F)[^\s)]*", r"\1", text)


@dataclass(frozen=True)
class LayerSnapshot:
    """A layer's provider and rendering at one moment, independent of the layer.

    Attributes:
        pipe: clones of the provider, renderer and filters.
        provider: the pipe's provider.
        has_size: the layer has its own pixels (files); a web layer has none.
        alpha_band: the band that the renderer used as alpha, or 0: it is read on its own.
        is_classes: colours stand for classes (a palette): they must not be mixed.
        levels: decimations that the source holds as overviews, its full resolution included.
    """

    pipe: QgsRasterPipe
    provider: Any
    has_size: bool
    alpha_band: int
    is_classes: bool
    levels: Tuple[int, ...] = (1,)

    @classmethod
    def of(cls, layer: QgsRasterLayer) -> LayerSnapshot:
        """Clones what is needed. Main thread only.

        Raises:
            LayerGone: the layer has no working source or no renderer.
        """
        source, renderer = layer.dataProvider(), layer.renderer()
        if source is None or renderer is None or not source.isValid():
            raise LayerGone(f"The layer “{layer.name()}” cannot be read. Check its source in the layer's properties.")
        provider, renderer = source.clone(), renderer.clone()
        alpha_band = max(renderer.alphaBand(), 0)
        # Opacity makes the map readable, not the imagery: the engine gets the full colours. An alpha band is
        # read on its own, as QGIS takes every alpha for 8-bit and multiplies colours by it.
        renderer.setOpacity(1.0)
        if alpha_band:
            renderer.setAlphaBand(-1)
        pipe = QgsRasterPipe()
        pipe.set(provider)
        pipe.set(renderer)
        for part in (layer.brightnessFilter(), layer.hueSaturationFilter(), layer.resampleFilter()):
            if part is not None:
                pipe.set(part.clone())
        if hasattr(layer, "resamplingStage"):
            pipe.setResamplingStage(layer.resamplingStage())
        is_classes = renderer.type() == "paletted"
        has_size = source.xSize() > 0 and source.ySize() > 0
        # Asked of the layer's own provider: a clone opens its file at the first read only.
        built = (
            [p.getLevel() for p in source.buildPyramidList() if p.getExists() and p.getLevel() > 1] if has_size else []
        )
        return cls(pipe, provider, has_size, alpha_band, is_classes, (1, *sorted(built)))

    def native_grid(self, step: float) -> Optional[NativeGrid]:
        """The layer's own pixels, or for a web layer the pixels of the zoom level nearest to ``step``; or None."""
        extent = self.provider.extent()
        if self.has_size:
            width, height = self.provider.xSize(), self.provider.ySize()
            return NativeGrid(
                extent.xMinimum(),
                extent.yMaximum(),
                extent.width() / width,
                extent.height() / height,
                width,
                height,
                self.levels,
            )
        resolutions = [r for r in self.provider.nativeResolutions() if r > 0]
        if not resolutions:
            return None
        nearest = min(resolutions, key=lambda r: abs(r - step))
        return NativeGrid(extent.xMinimum(), extent.yMaximum(), nearest, nearest)

    def read(
        self, window: ReadWindow, feedback: QgsRasterBlockFeedback, progress: Optional[QgsFeedback] = None
    ) -> Tuple[Any, WebAnswers]:
        """The pixels as displayed.

        Returns:
            (row, col, 4) uint8 RGBA of ``window``, alpha 0 or 255; and what the network said meanwhile.

        Raises:
            TileCancelled: ``feedback`` was cancelled.
            LayerGone: the provider gave nothing at all.
        """
        rgba = np.zeros((window.height, window.width, 4), np.uint8)
        with _Listener() as listener:
            for row, rows, col, cols in self._strips(window):
                if feedback.isCanceled():
                    raise TileCancelled("Reading the layer was cancelled.")
                part = window.rows(row, rows).columns(col, cols)
                rgba[row : row + rows, col : col + cols] = self._displayed(part, feedback)
                if progress is not None:
                    progress.setProgress(90.0 * (row + rows) / window.height)
        if feedback.isCanceled():
            raise TileCancelled("Reading the layer was cancelled.")
        return rgba, listener.answers

    def _strips(self, window: ReadWindow) -> List[Tuple[int, int, int, int]]:
        """(first row, rows, first column, columns) of each part to read."""
        if self.has_size:
            rows, cols = max(1, STRIP_PIXELS // window.width), window.width
        else:
            rows = cols = WEB_SIDE
        return [
            (row, min(rows, window.height - row), col, min(cols, window.width - col))
            for row in range(0, window.height, rows)
            for col in range(0, window.width, cols)
        ]

    def _displayed(self, window: ReadWindow, feedback: QgsRasterBlockFeedback) -> Any:
        block = self.pipe.last().block(1, _rectangle(window), window.width, window.height, feedback)
        if block is None or block.isEmpty():
            if feedback.isCanceled():
                raise TileCancelled("Reading the layer was cancelled.")
            return np.zeros((window.height, window.width, 4), np.uint8)
        rgba = _image_to_rgba(block.image())
        if rgba.shape[:2] != (window.height, window.width):
            raise LayerGone(
                f"The layer gave {rgba.shape[1]} x {rgba.shape[0]} pixels instead of {window.width} x {window.height}."
            )
        return rgba

    def read_alpha(self, window: ReadWindow, feedback: QgsRasterBlockFeedback) -> Optional[Any]:
        """(row, col) bool: what the alpha band shows; None when it has none, or when that band is no mask.

        Four-band imagery often has its near infrared flagged as alpha: used as such, it would hide dark
        surfaces. A real mask is nearly everywhere either empty or full.
        """
        if not self.alpha_band:
            return None
        alpha = np.zeros((window.height, window.width), np.float64)
        for row, rows, col, cols in self._strips(window):
            part = window.rows(row, rows).columns(col, cols)
            block = self.provider.block(self.alpha_band, _rectangle(part), cols, rows, feedback)
            values = _block_values(block)
            if values is None:
                return None
            alpha[row : row + rows, col : col + cols] = values
        full = _full_alpha(self.provider.sourceDataType(self.alpha_band), alpha)
        shown = alpha > 0
        translucent = shown & (alpha < full)
        if np.count_nonzero(translucent) > MAX_TRANSLUCENT_PART * max(1, np.count_nonzero(shown)):
            return None
        return shown


def _full_alpha(data_type: Any, alpha: Any) -> float:
    largest = float(alpha.max()) if alpha.size else 0.0
    # 16-bit files hold 8-bit masks as well: what counts as full is the type's end, or 255 when nothing is above.
    return 65535.0 if int(data_type) == 2 and largest > 255 else min(255.0, max(largest, 1.0))


def _rectangle(window: ReadWindow) -> QgsRectangle:
    return QgsRectangle(
        window.x_min,
        window.y_max - window.height * window.dy,
        window.x_min + window.width * window.dx,
        window.y_max,
    )


def _block_values(block: Any) -> Optional[Any]:
    if block is None or block.isEmpty():
        return None
    dtype = _DTYPES.get(int(block.dataType()))
    if dtype is None:
        return None
    return np.frombuffer(bytes(block.data()), dtype).reshape(block.height(), block.width())


def _image_to_rgba(image: QImage) -> Any:
    """(row, col, 4) uint8, colours not premultiplied, alpha 255 wherever anything is shown."""
    image = image.convertToFormat(QImage.Format.Format_RGBA8888)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    # A copy: the bits are gone with the image.
    rgba = (
        np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width()].copy()
    )
    alpha = rgba[..., 3]
    if not (alpha == 255).all():
        np.multiply(alpha > 0, np.uint8(255), out=alpha)
    return rgba
