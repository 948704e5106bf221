"""From tile pixels to the map: coordinates through the affine, ellipsoidal measures, true and grid north."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyproj
from affine import Affine
from pyproj.exceptions import CRSError, ProjError
from rasterio.crs import CRS
from shapely.geometry import MultiPolygon, Polygon

from inference_server.geometry import FloatArray, obb_corners, obb_of_points
from inference_server.outlines import ring_points

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Measures:
    """Measures of one object: square metres, metres, degrees from true north in [0, 180); None without a north."""

    area_m2: float
    length_m: float
    width_m: float
    azimuth_deg: float | None


@dataclass(frozen=True)
class Placement:
    """Where a tile lies.

    Attributes:
        affine: pixel edges (col, row) -> coordinates in ``crs``.
        crs: None when the tile has none; there are no measures then, unless somebody says how large a pixel is.
        told_gsd_m: metres a pixel, where the CRS does not say.
    """

    affine: Affine
    crs: CRS | None
    told_gsd_m: float | None = None

    def to_map(self, points: FloatArray) -> FloatArray:
        """(n, 2) pixel coordinates (x, y) to (n, 2) map coordinates, both float64."""
        a, b, c, d, e, f = tuple(self.affine)[:6]
        x, y = points[:, 0], points[:, 1]
        return np.stack([a * x + b * y + c, d * x + e * y + f], axis=1)

    def ring(self, corners: FloatArray) -> Ring:
        """A closed ring of map coordinates from (n, 2) open pixel corners."""
        ring = tuple(map(tuple, self.to_map(corners).tolist()))
        return (*ring, ring[0])

    def rings(self, outline: MultiPolygon) -> tuple[tuple[Ring, ...], ...]:
        """An outline in pixel space as polygons of closed rings in map coordinates, outer ring first."""
        return tuple(tuple(self.ring(points[:-1]) for points in rings) for rings in ring_points(outline))

    @property
    def crs_text(self) -> str | None:
        """ "EPSG:n" where the CRS is one of EPSG's, else its WKT; None without a CRS."""
        if self.crs is None:
            return None
        epsg = self.crs.to_epsg(confidence_threshold=100)
        return f"EPSG:{epsg}" if epsg is not None else str(self.crs.to_wkt())

    @property
    def north(self) -> tuple[float, float]:
        """Unit vector of grid north in pixel space (y down); (0, -1) for an image that is not placed at all."""
        if self.crs is None and self.affine == Affine.identity():
            return (0.0, -1.0)
        a, b, _, d, e, _ = tuple(self.affine)[:6]
        # The pixel step (x, y) with a x + b y = 0 and d x + e y > 0.
        x, y = -b, a
        if d * x + e * y < 0:
            x, y = b, -a
        norm = math.hypot(x, y)
        return (x / norm, y / norm) if norm else (0.0, -1.0)

    def gsd_m(self, width: int, height: int) -> float | None:
        """Ground sample distance at the centre of a tile of that size in metres: the root of a pixel's area."""
        cx, cy = width / 2, height / 2
        square = np.array([(cx - 0.5, cy - 0.5), (cx + 0.5, cy - 0.5), (cx + 0.5, cy + 0.5), (cx - 0.5, cy + 0.5)])
        lonlat = self.to_lonlat(square)
        if lonlat is None:
            return self.told_gsd_m
        area, _ = self._geod.polygon_area_perimeter(lonlat[:, 0], lonlat[:, 1])
        return math.sqrt(abs(area)) or None

    def to_lonlat(self, points: FloatArray) -> FloatArray | None:
        """(n, 2) pixel coordinates to (n, 2) longitude, latitude; None without a CRS or outside its domain."""
        if self._to_lonlat is None:
            return None
        xy = self.to_map(points)
        try:
            lon, lat = self._to_lonlat.transform(xy[:, 0], xy[:, 1], errcheck=False)
        except ProjError:
            return None
        lonlat = np.stack([np.asarray(lon), np.asarray(lat)], axis=1)
        return lonlat if np.isfinite(lonlat).all() else None

    def measures(self, outline: MultiPolygon | Polygon, hull: FloatArray) -> Measures | None:
        """Measures of an object on the ellipsoid.

        Length, width and azimuth are those of the smallest rectangle on the ground, which under pixels that are
        not square is not the smallest rectangle in the image.

        Args:
            outline: pixel space.
            hull: (n, 2) float64, the corners of its convex hull, pixel space.

        Returns:
            None without a CRS and without a told pixel size, or where the CRS does not reach the object. By a told
            pixel size measures are those of the image's plane, and there is no azimuth.
        """
        parts = ring_points(outline)
        lonlat = self.to_lonlat(np.concatenate([hull, *(points for rings in parts for points in rings)]))
        if lonlat is None:
            return None if self.told_gsd_m is None else _plane_measures(outline, hull, self.told_gsd_m)
        area = 0.0
        start = len(hull)
        for rings in parts:
            for i, points in enumerate(rings):
                piece = lonlat[start : start + len(points)]
                start += len(points)
                ring_area, _ = self._geod.polygon_area_perimeter(piece[:, 0], piece[:, 1])
                area += -abs(ring_area) if i else abs(ring_area)
        length, width, azimuth = self._rectangle(lonlat[: len(hull)])
        return Measures(max(area, 0.0), length, width, azimuth)

    def _rectangle(self, lonlat: FloatArray) -> tuple[float, float, float]:
        """Length, width and azimuth of the smallest rectangle around points, on the plane that touches there."""
        lon_0, lat_0 = lonlat[0, 0], (lonlat[:, 1].min() + lonlat[:, 1].max()) / 2
        east = (lonlat[:, 0] - lon_0 + 180.0) % 360.0 - 180.0  # across the antimeridian, too
        sin, cos = math.sin(math.radians(lat_0)), math.cos(math.radians(lat_0))
        curvature = 1.0 - self._geod.es * sin * sin
        per_lon = math.radians(1) * self._geod.a / math.sqrt(curvature) * max(cos, 1e-9)
        per_lat = math.radians(1) * self._geod.a * (1.0 - self._geod.es) / curvature**1.5
        plane = np.stack([east * per_lon, (lonlat[:, 1] - lat_0) * per_lat], axis=1)
        offset = plane.mean(axis=0)
        corners = obb_corners(obb_of_points(plane - offset)) + offset
        lon, lat = corners[:, 0] / per_lon + lon_0, corners[:, 1] / per_lat + lat_0
        ends = [((lon[i] + lon[j]) / 2, (lat[i] + lat[j]) / 2) for i, j in ((3, 0), (1, 2), (0, 1), (2, 3))]
        forward, back, length = self._geod.inv(*ends[0], *ends[1])
        _, _, width = self._geod.inv(*ends[2], *ends[3])
        # The direction at the middle: the mean of the two ends' directions, taken on the circle.
        turn = ((back + 180.0 - forward + 180.0) % 360.0 - 180.0) / 2
        azimuth = (forward + turn) % 180.0
        return length, width, 0.0 if 180.0 - azimuth < 1e-9 else azimuth

    @cached_property
    def _proj_crs(self) -> pyproj.CRS | None:
        if self.crs is None:
            return None
        try:
            return pyproj.CRS.from_user_input(self.crs_text)
        except CRSError:
            return None

    @cached_property
    def _to_lonlat(self) -> pyproj.Transformer | None:
        if self._proj_crs is None or self._proj_crs.geodetic_crs is None:
            return None
        try:
            # To the CRS's own datum: measures need its ellipsoid, and no datum shift can fail.
            return pyproj.Transformer.from_crs(self._proj_crs, self._proj_crs.geodetic_crs, always_xy=True)
        except (CRSError, ProjError):
            return None

    @cached_property
    def _geod(self) -> pyproj.Geod:
        geod = self._proj_crs.get_geod() if self._proj_crs is not None else None
        return geod if geod is not None else pyproj.Geod(ellps="WGS84")


def _plane_measures(outline: MultiPolygon | Polygon, hull: FloatArray, gsd_m: float) -> Measures:
    rectangle = obb_of_points(hull)
    return Measures(outline.area * gsd_m**2, rectangle.width * gsd_m, rectangle.height * gsd_m, None)
