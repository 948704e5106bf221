"""A result's GeoPackage in other formats.

vector   Shapefile, GeoJSON, FlatGeobuf, KML, CSV, GeoParquet, GeoPackage
coco     COCO JSON: boxes and run-length masks in the pixels of the rasters
"""

from inference_server.exports.vector import FORMATS, export

__all__ = ["FORMATS", "export"]
