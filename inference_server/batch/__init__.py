"""Expressions over whole rasters: tile by tile into a journal, merged at the seams, related over the raster.

sources      files, folders, globs and STAC files -> rasters
grid         a raster's tiles, with overlap from the size of what is looked for
scene        one raster at the resolution searched: reading a tile, its fingerprint
tiles        one tile -> the candidates to keep
survey       patches from all over a scene, for engines that judge by its tones
work         reading a tile, asking an engine of it
pool         the work in several processes
cluster      the work on the places of a Ray cluster
geopackage   the output's tables
journal      the output as a record of what is done, one transaction a tile
seams        candidates of tiles -> whole objects
resolving    relations over all objects of a raster, detections
run          all of it, in order; a run that was stopped goes on
"""
