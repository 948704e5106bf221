"""From pixels to the map: exact coordinates, ellipsoidal measures, azimuth from true north."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.transform import Affine
from shapely.geometry import MultiPolygon, Polygon

from inference_server.geometry import convex_hull
from inference_server.placement import Placement

GEOD = pyproj.Geod(ellps="WGS84")
UTM = CRS.from_epsg(32631)


def ground_rectangle(lon, lat, length_m, width_m, azimuth_deg):
    """(4, 2) longitude, latitude of a rectangle on the ellipsoid."""
    ends = [GEOD.fwd(lon, lat, azimuth_deg + turn, length_m / 2)[:2] for turn in (0, 180)]
    return np.array(
        [
            GEOD.fwd(*end, azimuth_deg + side, width_m / 2)[:2]
            for end, side in zip(ends * 2, (-90, -90, 90, 90), strict=True)
        ]
    )[[0, 1, 3, 2]]


def measured(crs, affine, lonlat):
    """Measures of a polygon given in longitude and latitude, as a tile with that CRS and affine sees it."""
    to_crs = pyproj.Transformer.from_crs("EPSG:4326", crs.to_wkt() if crs else 4326, always_xy=True)
    xy = np.stack(to_crs.transform(lonlat[:, 0], lonlat[:, 1]), axis=1)
    back = ~affine
    pixels = np.array([back * tuple(point) for point in xy])
    return Placement(affine, crs).measures(MultiPolygon([Polygon(pixels)]), convex_hull(pixels))


def tile_at(crs, lon, lat, *, pixel=0.5, turn=0.0, shear=0.0):
    to_crs = pyproj.Transformer.from_crs("EPSG:4326", crs.to_wkt(), always_xy=True)
    x, y = to_crs.transform(lon, lat)
    size = pixel / 111_000 if crs.is_geographic else pixel
    return Affine.translation(x, y) * Affine.rotation(turn) * Affine.shear(shear, 0) * Affine.scale(size, -size)


CASES = [
    (CRS.from_epsg(32631), 3.0, 50.0, 0.0, 0.0),  # on the central meridian
    (CRS.from_epsg(32631), 5.9, 50.0, 0.0, 0.0),  # grid north is 2.2 degrees off true north here
    (CRS.from_epsg(32631), 5.9, 50.0, 33.0, 8.0),  # rotated and sheared
    (CRS.from_epsg(3857), 10.0, 60.0, 0.0, 0.0),  # scale 2
    (CRS.from_epsg(4326), 10.0, 60.0, 0.0, 0.0),  # pixels twice as high as wide on the ground
    (CRS.from_epsg(4326), -115.2, 36.1, 20.0, 0.0),
    (CRS.from_epsg(32660), 179.99, -17.0, 0.0, 0.0),
    (CRS.from_epsg(3031), 45.0, -75.0, 0.0, 0.0),  # polar: grid north is 45 degrees off
]


@pytest.mark.parametrize(("crs", "lon", "lat", "turn", "shear"), CASES)
@pytest.mark.parametrize("azimuth", [0, 17, 45, 90, 133, 179])
def test_measures_are_those_on_the_ground(crs, lon, lat, turn, shear, azimuth):
    rectangle = ground_rectangle(lon, lat, 80.0, 20.0, azimuth)
    found = measured(crs, tile_at(crs, lon, lat, turn=turn, shear=shear), rectangle)
    assert found.length_m == pytest.approx(80, rel=1e-3)
    assert found.width_m == pytest.approx(20, rel=1e-3)
    assert found.area_m2 == pytest.approx(1600, rel=1e-3)
    assert 0 <= found.azimuth_deg < 180
    assert (found.azimuth_deg - azimuth + 90) % 180 - 90 == pytest.approx(0, abs=0.1)


def test_measures_across_the_antimeridian():
    crs = CRS.from_epsg(32660)
    found = measured(crs, tile_at(crs, 179.999, -17), ground_rectangle(180.0, -17.0, 500, 100, 80))
    assert found.length_m == pytest.approx(500, rel=1e-3)
    assert found.area_m2 == pytest.approx(50_000, rel=1e-3)


def test_a_hole_is_not_counted():
    shell, hole = [(0, 0), (10, 0), (10, 10), (0, 10)], [(2, 2), (2, 4), (4, 4), (4, 2)]
    placement = Placement(Affine(1, 0, 500_000, 0, -1, 5_540_000), UTM)
    hull = np.array(shell, dtype=float)
    whole = placement.measures(MultiPolygon([Polygon(shell)]), hull)
    holed = placement.measures(MultiPolygon([Polygon(shell, [hole])]), hull)
    assert holed.area_m2 == pytest.approx(whole.area_m2 * 0.96, rel=1e-6)


def test_without_a_crs_there_are_no_measures():
    placement = Placement(Affine(2, 0, 10, 0, -2, 20), None)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=float)
    assert placement.measures(MultiPolygon([Polygon(square)]), square) is None
    assert placement.gsd_m(10, 10) is None
    assert placement.crs_text is None
    assert placement.ring(square)[:2] == ((10, 20), (12, 20))


def test_a_told_pixel_size_gives_measures_in_the_plane_and_no_direction():
    placement = Placement(Affine.identity(), None, 0.5)
    hull = np.array([(0, 0), (8, 6), (5, 10), (-3, 4)], dtype=float)  # sides of 10 and 5, turned
    measures = placement.measures(Polygon(hull), hull)
    assert (measures.area_m2, measures.length_m, measures.width_m) == pytest.approx((12.5, 5.0, 2.5))
    assert measures.azimuth_deg is None
    assert placement.gsd_m(10, 10) == 0.5


def test_the_crs_says_more_than_what_was_told():
    affine = Affine(2, 0, 500_000, 0, -2, 5_000_000)
    assert Placement(affine, UTM, 9.0).gsd_m(10, 10) == pytest.approx(Placement(affine, UTM).gsd_m(10, 10))


def test_outside_the_domain_of_the_crs_there_are_no_measures():
    placement = Placement(Affine(1, 0, 1e30, 0, -1, 1e30), UTM)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=float)
    assert placement.measures(MultiPolygon([Polygon(square)]), square) is None


@pytest.mark.parametrize(
    ("crs", "lat", "expected"), [(UTM, 50.0, 0.5), (CRS.from_epsg(3857), 60.0, 0.25), (CRS.from_epsg(3857), 0.0, 0.5)]
)
def test_the_ground_sample_distance_is_the_grounds(crs, lat, expected):
    affine = tile_at(crs, 3.0, lat)
    assert Placement(affine, crs).gsd_m(2, 2) == pytest.approx(expected, rel=8e-3)


@pytest.mark.parametrize(
    ("affine", "expected"),
    [
        (Affine(0.5, 0, 0, 0, -0.5, 0), (0, -1)),
        (Affine(0.5, 0, 0, 0, 0.5, 0), (0, 1)),  # south-up: north is at the bottom
        (Affine.rotation(90) * Affine.scale(1, -1), (1, 0)),  # x runs north
        (Affine.rotation(30) * Affine.scale(1, -1), (0.5, -math.sqrt(3) / 2)),
    ],
)
def test_grid_north_through_the_affine(affine, expected):
    assert Placement(affine, UTM).north == pytest.approx(expected, abs=1e-12)


def test_an_image_without_a_place_has_north_at_its_top():
    assert Placement(Affine.identity(), None).north == (0.0, -1.0)


def test_a_crs_that_epsg_does_not_know_is_sent_as_wkt():
    own = CRS.from_proj4("+proj=tmerc +lat_0=12 +lon_0=34.5 +k=0.9 +x_0=7 +y_0=9 +ellps=bessel +units=m")
    text = Placement(Affine.identity(), own).crs_text
    assert pyproj.CRS.from_wkt(text).to_dict()["lon_0"] == 34.5
    assert Placement(Affine.identity(), CRS.from_epsg(28992)).crs_text == "EPSG:28992"


finite = st.floats(-1e5, 1e5)
scales = st.floats(1e-6, 1e4)


@given(
    finite,
    finite,
    scales,
    st.floats(0.1, 10),
    st.floats(0, 360),
    st.floats(-60, 60),
    st.lists(st.tuples(finite, finite), min_size=3),
)
def test_pixels_go_to_the_map_and_back_within_a_hundredth(x, y, sx, ratio, turn, shear, points):
    sy = sx * ratio
    affine = Affine.translation(x, y) * Affine.rotation(turn) * Affine.shear(shear, 0) * Affine.scale(sx, -sy)
    placement = Placement(affine, None)
    there = placement.to_map(np.array(points))
    back = ~affine
    for point, coordinates in zip(points, there, strict=True):
        # Beyond the resolution of doubles at that distance from the origin nothing can be exact.
        slack = 1e-9 * (abs(x) + abs(y)) / min(sx, sy)
        assert back * tuple(coordinates) == pytest.approx(point, abs=0.01 + slack)


@given(finite, finite, scales, st.floats(0, 360))
def test_north_is_a_unit_vector_that_points_north(x, y, size, turn):
    affine = Affine.translation(x, y) * Affine.rotation(turn) * Affine.scale(size, -size)
    north = Placement(affine, UTM).north
    assert math.hypot(*north) == pytest.approx(1)
    linear = Affine(affine.a, affine.b, 0, affine.d, affine.e, 0)
    step = linear * north
    assert step[0] == pytest.approx(0, abs=1e-9 * size)
    assert step[1] == pytest.approx(size)
