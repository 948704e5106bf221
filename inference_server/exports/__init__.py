"""Results in vector formats and as COCO.

vector      Shapefile, GeoJSON, FlatGeobuf, KML, CSV, GeoParquet, GeoPackage
grounding   the answer to one question as the tables that they write
coco        COCO JSON: boxes and run-length masks in the pixels of the rasters
"""

from inference_server.exports.vector import FORMATS, export

__all__ = ["FORMATS", "export"]
