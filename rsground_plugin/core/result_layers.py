"""A written result on the map: its layers in one group, and the score filter on them.

write_result     GroundingResult -> GeoPackage, in any thread (result_file)
add_to_project   GeoPackage -> styled layers in one group, on the main thread
set_min_score    hides what scores less, live, without touching the data
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, List, Optional, Tuple

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsLayerTreeGroup,
    QgsProject,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from .errors import ResultsError
from .result_file import (
    Provenance,
    WrittenLayer,
    WrittenResult,
    crs_of,
    geopackage_name,
    results_folder,
    write_result,
)
from .result_style import apply_style, filter_by_score

#: Custom property of each layer: "mask", "obb", "hbb" or "anchor".
KIND_PROPERTY = "rsground/kind"
#: Custom property of each layer and of the group: the expression.
EXPRESSION_PROPERTY = "rsground/expression"

_LONGEST_TITLE = 60


@dataclass(frozen=True)
class ResultGroup:
    """A result on the map, by names that outlive the layers.

    Attributes:
        title: of the group.
        layer_ids: kind and layer id, from the bottom of the map to its top.
    """

    title: str
    layer_ids: Tuple[Tuple[str, str], ...]

    def layers(self, project: QgsProject) -> List[QgsVectorLayer]:
        """Those that are still in the project."""
        found = (project.mapLayer(layer_id) for _, layer_id in self.layer_ids)
        return [layer for layer in found if layer is not None]

    def layer(self, kind: str, project: QgsProject) -> Optional[QgsVectorLayer]:
        """The layer of one kind, None when it was not asked for or has been removed."""
        layer_id = dict(self.layer_ids).get(kind)
        return None if layer_id is None else project.mapLayer(layer_id)


def layer_title(kind: str) -> str:
    """A kind's name for people."""
    titles = {
        "mask": QCoreApplication.translate("ResultLayers", "Masks"),
        "obb": QCoreApplication.translate("ResultLayers", "Oriented boxes"),
        "hbb": QCoreApplication.translate("ResultLayers", "Boxes"),
        "anchor": QCoreApplication.translate("ResultLayers", "References"),
    }
    return titles[kind]


def group_title(expression: str) -> str:
    """The expression on one line, shortened."""
    words = " ".join(expression.split())
    return words if len(words) <= _LONGEST_TITLE else words[: _LONGEST_TITLE - 1].rstrip() + "…"


def open_layer(written: WrittenResult, layer: WrittenLayer) -> QgsVectorLayer:
    """One of the result's layers, styled; not yet in a project.

    Raises:
        ResultsError: the file is gone or damaged.
    """
    options = QgsVectorLayer.LayerOptions(loadDefaultStyle=False)  # the same style, but parsing it takes long
    opened = QgsVectorLayer(f"{written.path}|layername={layer.table}", layer_title(layer.kind), "ogr", options)
    if not opened.isValid():
        # Not with the layer's own error(): reading that of a layer without a provider crashes QGIS 3.22.
        reason = "it is damaged" if written.path.is_file() else "it is no longer there"
        raise ResultsError(f"The result was written to {written.path}, but QGIS cannot open it: {reason}.")
    # Exactly the raster's CRS, or none: GeoPackage has no way to say "none" that QGIS always reads as such.
    opened.setCrs(written.crs if written.crs.isValid() else QgsCoordinateReferenceSystem())
    apply_style(opened, layer.kind, is_labelled=layer.is_labelled)
    opened.setCustomProperty(KIND_PROPERTY, layer.kind)
    opened.setCustomProperty(EXPRESSION_PROPERTY, written.expression)
    return opened


def add_to_project(
    written: WrittenResult, project: QgsProject, *, min_score: float = 0.0, parent: Optional[QgsLayerTreeGroup] = None
) -> ResultGroup:
    """Puts the result's layers on top of the map, in one group named after the expression. Main thread.

    Args:
        written: from :func:`write_result`.
        project: gets the layers.
        min_score: filter from the start.
        parent: group to put the new group into, the project's root when None.

    Raises:
        ResultsError: the file is gone or damaged; nothing was added.
    """
    layers = [(layer.kind, open_layer(written, layer)) for layer in written.layers]
    set_min_score((layer for _, layer in layers), min_score)
    root = parent if parent is not None else project.layerTreeRoot()
    group = root.insertGroup(0, group_title(written.expression))
    group.setCustomProperty(EXPRESSION_PROPERTY, written.expression)
    ids = []
    for kind, layer in layers:
        project.addMapLayer(layer, False)
        node = group.insertLayer(0, layer)
        node.setExpanded(False)
        ids.append((kind, layer.id()))
    return ResultGroup(group.name(), tuple(ids))


def set_min_score(layers: Iterable[QgsVectorLayer], min_score: float) -> None:
    """Draws only objects that score at least ``min_score``, labels included; data stay as they are.

    Anchors are not filtered.
    """
    for layer in layers:
        if layer.customProperty(KIND_PROPERTY) != "anchor":
            filter_by_score(layer, min_score)


__all__ = [
    "EXPRESSION_PROPERTY",
    "KIND_PROPERTY",
    "Provenance",
    "ResultGroup",
    "WrittenLayer",
    "WrittenResult",
    "add_to_project",
    "crs_of",
    "geopackage_name",
    "group_title",
    "layer_title",
    "open_layer",
    "results_folder",
    "set_min_score",
    "write_result",
]
