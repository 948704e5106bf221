"""A search of whole layers: what is asked, made on the main thread, and its run, in any thread.

BatchJob      the request, and the layers that must be copied before the server can read them
BatchEvents   what a run tells
run_batch     copies, asks the server, hands its events on
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

from qgis.core import QgsCoordinateReferenceSystem, QgsFeedback, QgsGeometry, QgsRasterLayer
from qgis.PyQt.QtCore import QCoreApplication, Qt

from ..protocol import OUTPUT_KINDS, BatchEvent, BatchRequest, BatchResult, MultiPolygonCoords
from .client import GroundingClient
from .errors import EmptyExtent, LayerGone, RSGroundError
from .layer_copy import CopyPlan, is_plain_file, native_request, write_copy
from .raster_tile import TileArea
from .server_process import ServerSource, ask_server

#: More tiles of a web service are not fetched in one go: it is someone else's machine.
MAX_WEB_TILES = 20_000


def tr(text: str) -> str:
    return QCoreApplication.translate("BatchJob", text)


@dataclass(frozen=True)
class BatchJob:
    """A search, ready to run.

    Attributes:
        request: for the server; its rasters are right for all layers that are not copied.
        copies: index of the raster, and what to copy.
    """

    request: BatchRequest
    copies: Tuple[Tuple[int, CopyPlan], ...] = ()

    @classmethod
    def of(
        cls,
        layers: Sequence[QgsRasterLayer],
        expressions: Sequence[str],
        output: Path,
        *,
        area: Optional[TileArea] = None,
        gsd_m: float = 0.0,
        pixel_size_m: float = 0.0,
        engine: str = "default",
        outputs: Sequence[str] = OUTPUT_KINDS,
        min_score: float = 0.0,
        is_restart: bool = False,
    ) -> BatchJob:
        """Takes what is needed of the layers. Main thread; nothing is read or fetched.

        Raises:
            LayerGone, TileError: a layer cannot be read, or the area does not meet it.
            RSGroundError: there is nothing to do, or too many tiles of a web service to fetch.
        """
        if not layers or not expressions:
            raise RSGroundError(tr("Say at least one layer and one expression."))
        rasters, copies = [], []
        for layer in layers:
            if layer is None or not layer.isValid():
                raise LayerGone(tr("The layer “{name}” cannot be read.").format(name=layer.name() if layer else ""))
            if is_plain_file(layer):
                rasters.append(str(Path(layer.source()).resolve()))
                continue
            plan = CopyPlan.of(layer, native_request(layer, area, gsd_m=gsd_m))
            _refuse_too_many(plan)
            copies.append((len(rasters), plan))
            rasters.append(str(_copies_folder(output) / plan.name))
        request = BatchRequest(
            rasters=tuple(rasters),
            expressions=tuple(expressions),
            output=str(output),
            engine=engine,
            outputs=tuple(outputs),
            min_score=min_score,
            area=None if area is None else _coordinates(area.geometry),
            area_crs=None if area is None else _crs_text(area.crs),
            gsd_m=gsd_m if gsd_m > 0 else None,
            pixel_size_m=pixel_size_m if pixel_size_m > 0 else None,
            restart=is_restart,
        )
        return cls(request, tuple(copies))

    def in_folder(self, folder: Path, layer_name: str) -> BatchJob:
        """The same, into a file of this folder that the same search always gets, so that it is continued."""
        told = json.dumps({**self.request.to_dict(), "output": ""})
        words = re.sub(r"[^\w]+", "_", f"{layer_name} {' '.join(self.request.expressions)}").strip("_")[:60].lower()
        output = folder / f"{words}_{hashlib.sha256(told.encode()).hexdigest()[:8]}.gpkg"
        rasters = list(self.request.rasters)
        for i, plan in self.copies:
            rasters[i] = str(_copies_folder(output) / plan.name)
        return replace(self, request=replace(self.request, output=str(output), rasters=tuple(rasters)))

    def restarted(self) -> BatchJob:
        """The same, starting anew over the journal of another run."""
        return replace(self, request=replace(self.request, restart=True))

    def planned_only(self) -> BatchJob:
        """The same, ending after the plan."""
        return replace(self, request=replace(self.request, plan_only=True))

    def preflight(self) -> List[str]:
        """A sentence for each layer that must be copied first."""
        return [plan.sentence() for _, plan in self.copies]


@dataclass(frozen=True)
class BatchEvents:
    """What a run tells, in its own thread.

    Attributes:
        staged: stage, done, total: "copy" (per cent of a layer), "server", and the server's own.
        came: the server's plan and tiles.
        noted: a sentence the user should see.
    """

    staged: Callable[[str, int, int], None]
    came: Callable[[BatchEvent], None]
    noted: Callable[[str], None]


def run_batch(job: BatchJob, source: ServerSource, events: BatchEvents, feedback: QgsFeedback) -> BatchResult:
    """Runs a search until its end; run again, it continues where it stopped. Any thread.

    Raises:
        QueryCancelled, TileCancelled: ``feedback`` was cancelled; finished tiles and copies are kept.
        ServerRefused: code "journal_mismatch" when the output holds the journal of another search.
        RSGroundError: any other fault.
    """
    for _, plan in job.copies:
        _copied(plan, _copies_folder(Path(job.request.output)), events, feedback)
    events.staged("server", 0, 0)

    def ask(client: GroundingClient, has_begun: Callable[[], None]) -> BatchResult:
        def came(event: BatchEvent) -> None:
            has_begun()
            events.came(event)

        return client.batch(job.request, on_event=came, is_cancelled=feedback.isCanceled)

    return ask_server(source, ask, is_cancelled=feedback.isCanceled)


def remove_copies(output: Path) -> None:
    """Removes the copies that searches into this output have made."""
    shutil.rmtree(_copies_folder(output), ignore_errors=True)


def _copied(plan: CopyPlan, folder: Path, events: BatchEvents, feedback: QgsFeedback) -> None:
    """Makes the copy unless an earlier run has: the journal knows it by its time too."""
    path = folder / plan.name
    if path.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    events.noted(plan.sentence())
    part = QgsFeedback()
    feedback.canceled.connect(part.cancel, Qt.ConnectionType.DirectConnection)
    if feedback.isCanceled():
        part.cancel()
    part.progressChanged.connect(
        lambda done: events.staged("copy", round(done), 100), Qt.ConnectionType.DirectConnection
    )
    unfinished = path.with_name(f".{os.getpid()}_{plan.name}")
    for note in write_copy(plan, unfinished, part):
        events.noted(note)
    os.replace(unfinished, path)


def _copies_folder(output: Path) -> Path:
    return output.with_name(f"{output.stem}_imagery")


def _refuse_too_many(plan: CopyPlan) -> None:
    if plan.web_tiles > MAX_WEB_TILES:
        raise EmptyExtent(
            tr(
                "“{name}” would take {n} tiles of its web service, and at most {most} are fetched in one go. "
                "Choose a smaller area or a coarser ground sample distance."
            ).format(name=plan.request.layer_name, n=plan.web_tiles, most=MAX_WEB_TILES)
        )


def _coordinates(geometry: QgsGeometry) -> MultiPolygonCoords:
    polygons = geometry.asMultiPolygon() if geometry.isMultipart() else [geometry.asPolygon()]
    return tuple(tuple(tuple((p.x(), p.y()) for p in ring) for ring in rings) for rings in polygons)


def _crs_text(crs: QgsCoordinateReferenceSystem) -> Optional[str]:
    if not crs.isValid():
        return None
    authid = crs.authid()
    return authid if authid.startswith("EPSG:") else crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED)
