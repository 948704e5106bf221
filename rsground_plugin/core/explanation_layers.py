"""Where an engine looked, on the map: half-transparent rasters beside the result.

WrittenMap      one GeoTIFF
write_maps      MapImages -> GeoTIFFs beside the result's file, in any thread
add_to_project  GeoTIFFs -> styled raster layers in the result's group, on the main thread
hide            those of earlier results, on the main thread
"""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from osgeo import gdal
from qgis.core import (
    QgsBilinearRasterResampler,
    QgsColorRampShader,
    QgsCoordinateReferenceSystem,
    QgsLayerTreeGroup,
    QgsProject,
    QgsRasterLayer,
    QgsRasterShader,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QColor

from ..protocol import GroundingResult, MapImage
from .errors import ResultsError
from .geotiff_bytes import spatial_reference
from .raster_tile import RasterTileData
from .result_layers import EXPRESSION_PROPERTY, KIND_PROPERTY, ResultGroup, group_title

#: From nowhere, which shows the imagery as it is, to where the engine looked most: value, colour, opacity.
RAMP = ((0, "#20004c", 0), (64, "#57106e", 40), (128, "#bc3754", 110), (192, "#f98e09", 150), (255, "#fcffa4", 180))

_KIND = "map:"


@dataclass(frozen=True)
class WrittenMap:
    """A map as a file.

    Attributes:
        path: a GeoTIFF with one band of 8 bits.
        name, phrase: as the engine has them.
        crs: of the tile; invalid when it had none.
    """

    path: Path
    name: str
    phrase: str
    crs: QgsCoordinateReferenceSystem


def map_title(name: str) -> str:
    """A kind of map for people; the engine's own name where it is not one of those known."""
    titles = {
        "score": QCoreApplication.translate("ExplanationLayers", "How well it fits"),
        "foreground": QCoreApplication.translate("ExplanationLayers", "How likely it is"),
        "A_C": QCoreApplication.translate("ExplanationLayers", "1 Where the words point (A_C)"),
        "A_CS": QCoreApplication.translate("ExplanationLayers", "2 What belongs to it (A_CS)"),
        "A_E": QCoreApplication.translate("ExplanationLayers", "3 What grew from it (A_E)"),
    }
    return titles.get(name, name)


def write_maps(result: GroundingResult, tile: RasterTileData, geopackage: Path) -> Tuple[WrittenMap, ...]:
    """Writes a result's maps beside its file, or in the temporary folder where that cannot be written. Any thread.

    Args:
        result: with maps.
        tile: that they lie over.
        geopackage: file whose folder and name they take.

    Raises:
        ResultsError: no folder could be written.
    """
    reasons = []
    for folder in dict.fromkeys((geopackage.parent, Path(tempfile.gettempdir()) / "rsground_results")):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return tuple(_written(image, result, tile, folder, geopackage.stem) for image in result.maps)
        except (OSError, RuntimeError) as error:
            reasons.append(f"{folder}: {error}")
    raise ResultsError(
        "The maps of where the engine looked could not be written to any folder. Choose a folder that can be written in"
        " RSGround's options.",
        details="\n".join(reasons),
    )


def add_to_project(
    maps: Sequence[WrittenMap], expression: str, project: QgsProject, beside: Optional[ResultGroup] = None
) -> List[QgsRasterLayer]:
    """Puts maps below the layers of a result, the last one of what was looked for visible. Main thread.

    Args:
        maps: from :func:`write_maps`; what was looked for first, then what relations are checked against.
        expression: names the group where there is none yet.
        project: gets the layers.
        beside: the result's group; a new one is made when None, as nothing was found.

    Raises:
        ResultsError: a file is gone or damaged; nothing was added.
    """
    layers = [_opened(each, expression) for each in maps]
    group = _group(project, beside)
    if group is None:
        group = project.layerTreeRoot().insertGroup(0, group_title(expression))
        group.setCustomProperty(EXPRESSION_PROPERTY, expression)
    shown = [each for each in maps if each.phrase == maps[0].phrase][-1]
    for each, layer in zip(maps, layers):
        project.addMapLayer(layer, False)
        node = group.addLayer(layer)
        node.setExpanded(False)
        node.setItemVisibilityChecked(each is shown)
    return layers


def hide(project: QgsProject) -> None:
    """Switches the maps of all results off: two over each other tell nothing. Main thread."""
    for node in project.layerTreeRoot().findLayers():
        if node.layer() is not None and str(node.layer().customProperty(KIND_PROPERTY, "")).startswith(_KIND):
            node.setItemVisibilityChecked(False)


def _group(project: QgsProject, beside: Optional[ResultGroup]) -> Optional[QgsLayerTreeGroup]:
    if beside is None:
        return None
    nodes = (project.layerTreeRoot().findLayer(layer_id) for _, layer_id in beside.layer_ids)
    return next((node.parent() for node in nodes if node is not None), None)


def _opened(each: WrittenMap, expression: str) -> QgsRasterLayer:
    layer = QgsRasterLayer(str(each.path), f"{map_title(each.name)}: {each.phrase}", "gdal")
    if not layer.isValid():
        reason = "it is damaged" if each.path.is_file() else "it is no longer there"
        raise ResultsError(f"The map was written to {each.path}, but QGIS cannot open it: {reason}.")
    # Exactly the tile's CRS, or none.
    layer.setCrs(each.crs if each.crs.isValid() else QgsCoordinateReferenceSystem())
    ramp = QgsColorRampShader(0.0, 255.0)
    items = []
    for value, colour, opacity in RAMP:
        shade = QColor(colour)
        shade.setAlpha(opacity)
        items.append(QgsColorRampShader.ColorRampItem(float(value), shade, f"{value / 255:.2f}"))
    ramp.setColorRampItemList(items)
    shader = QgsRasterShader()
    shader.setRasterShaderFunction(ramp)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
    renderer.setClassificationMin(0.0)
    renderer.setClassificationMax(255.0)
    layer.setRenderer(renderer)
    # A cell is many pixels of the imagery wide: smooth, as the engine means it.
    layer.resampleFilter().setZoomedInResampler(QgsBilinearRasterResampler())
    layer.setCustomProperty(KIND_PROPERTY, _KIND + each.name)
    layer.setCustomProperty(EXPRESSION_PROPERTY, expression)
    return layer


def _written(image: MapImage, result: GroundingResult, tile: RasterTileData, folder: Path, stem: str) -> WrittenMap:
    """One GeoTIFF; it gets its name when it is whole, and takes nobody else's."""
    words = re.sub(r"[^\w]+", "_", f"{image.name}_{image.phrase}", flags=re.UNICODE).strip("_")[:40]
    number = 1
    while True:
        path = folder / (f"{stem}_{words}.tif" if number == 1 else f"{stem}_{words}_{number}.tif")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            number += 1
    unfinished = path.with_name(f".{uuid.uuid4().hex}.tif")
    try:
        _write(unfinished, image, result, tile)
        os.replace(unfinished, path)
    except (OSError, RuntimeError):
        for leftover in (unfinished, path):
            if leftover.exists():
                leftover.unlink()
        raise
    return WrittenMap(path, image.name, image.phrase, tile.crs)


def _write(path: Path, image: MapImage, result: GroundingResult, tile: RasterTileData) -> None:
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), image.width, image.height, 1, gdal.GDT_Byte, ["COMPRESS=DEFLATE"]
    )
    if dataset is None:
        raise OSError(gdal.GetLastErrorMsg() or "GDAL cannot create a GeoTIFF here")
    x0, a, b, y0, d, e = tile.geotransform
    # The map's cells divide the tile evenly.
    wide, high = tile.width / image.width, tile.height / image.height
    dataset.SetGeoTransform((x0, a * wide, b * high, y0, d * wide, e * high))
    reference = spatial_reference(tile.crs)
    if reference is not None:
        dataset.SetSpatialRef(reference)
    dataset.SetMetadata(
        {
            "expression": result.expression,
            "phrase": image.phrase,
            "map": image.name,
            "engine": result.engine,
            "revision": result.revision,
        }
    )
    dataset.WriteRaster(0, 0, image.width, image.height, image.cells, image.width, image.height, gdal.GDT_Byte)
    dataset.FlushCache()
    dataset = None  # closes the file


__all__ = ["RAMP", "WrittenMap", "add_to_project", "hide", "map_title", "write_maps"]
