"""A GeoPackage as SQLite makes it (OGC 12-128r19): its own tables, feature tables, geometries.

Written through ``sqlite3`` itself, so that a tile's state and the results share the transactions of one file.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from typing import Any

import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

#: "GPKG", and version 1.3.
APPLICATION_ID, USER_VERSION = 0x47504B47, 10300
#: srs_id of coordinates that lie nowhere, and of the first CRS that has no code of EPSG's.
NOWHERE, FIRST_OWN = -1, 100_000

_BASE = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL,
  definition TEXT NOT NULL, scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined cartesian SRS', -1, 'NONE', -1, 'undefined', NULL),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', NULL);
"""


def create_base(connection: sqlite3.Connection) -> None:
    """The tables that make an empty database a GeoPackage; to be called within a transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {USER_VERSION}")
    for statement in _BASE.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    add_crs(connection, "EPSG:4326")


def add_crs(connection: sqlite3.Connection, crs_text: str | None) -> int:
    """The srs_id of a CRS ("EPSG:n" or WKT), which the file knows from now on; ``NOWHERE`` for None."""
    if crs_text is None:
        return NOWHERE
    crs = pyproj.CRS.from_user_input(crs_text)
    wkt = crs.to_wkt("WKT1_GDAL") or crs.to_wkt()
    code = int(crs_text[5:]) if crs_text.startswith("EPSG:") else None
    known = connection.execute("SELECT srs_id FROM gpkg_spatial_ref_sys WHERE definition = ?", (wkt,)).fetchone()
    if known is not None:
        return int(known[0])
    (highest,) = connection.execute("SELECT max(srs_id) FROM gpkg_spatial_ref_sys").fetchone()
    srs_id = code if code is not None else max(FIRST_OWN, int(highest) + 1)
    organization = "EPSG" if code is not None else "NONE"
    connection.execute(
        "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", (crs.name, srs_id, organization, srs_id, wkt)
    )
    return srs_id


class FeatureTable:
    """A table of features made anew, with a spatial index, within a transaction; ``finish`` it.

    Args:
        connection: of the file.
        table: its name.
        geometry_type: "POLYGON" or "MULTIPOLYGON".
        srs_id: from :func:`add_crs`.
        fields: name and SQL type of each attribute.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        table: str,
        geometry_type: str,
        srs_id: int,
        fields: Sequence[tuple[str, str]],
    ) -> None:
        drop_feature_table(connection, table)
        self._connection, self._table, self._geometry_type, self._srs_id = connection, table, geometry_type, srs_id
        self._count, self._extent = 0, (float("inf"), float("inf"), float("-inf"), float("-inf"))
        columns = "".join(f', "{name}" {kind}' for name, kind in fields)
        connection.execute(
            f'CREATE TABLE "{table}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom {geometry_type}{columns})'
        )
        index = f"rtree_{table}_geom"
        connection.execute(f'CREATE VIRTUAL TABLE "{index}" USING rtree(id, minx, maxx, miny, maxy)')
        self._insert = f'INSERT INTO "{table}" VALUES (?, ?{", ?" * len(fields)})'  # nosec B608 # noqa: S608 (our own names)
        self._index = f'INSERT INTO "{index}" VALUES (?, ?, ?, ?, ?)'  # nosec B608 # noqa: S608

    def add(self, geometry: BaseGeometry, values: Sequence[Any]) -> None:
        """One feature; key ``fid`` counts them from 1."""
        self._count += 1
        x_0, y_0, x_1, y_1 = geometry.bounds
        e = self._extent
        self._extent = (min(e[0], x_0), min(e[1], y_0), max(e[2], x_1), max(e[3], y_1))
        self._connection.execute(self._insert, (self._count, geometry_blob(geometry, self._srs_id), *values))
        self._connection.execute(self._index, (self._count, x_0, x_1, y_0, y_1))

    def finish(self) -> None:
        """Tells the GeoPackage of the table."""
        self._connection.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id)"
            " VALUES (?, 'features', ?, ?, ?, ?, ?, ?)",
            (self._table, self._table, *(self._extent if self._count else (None,) * 4), self._srs_id),
        )
        self._connection.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)",
            (self._table, self._geometry_type, self._srs_id),
        )
        _index_triggers(self._connection, self._table)


def drop_feature_table(connection: sqlite3.Connection, table: str) -> None:
    """Removes a table of features, where there is one. Within a transaction."""
    connection.execute(f'DROP TABLE IF EXISTS "rtree_{table}_geom"')
    connection.execute(f'DROP TABLE IF EXISTS "{table}"')
    for name in ("gpkg_geometry_columns", "gpkg_contents", "gpkg_extensions"):
        connection.execute(f"DELETE FROM {name} WHERE table_name = ?", (table,))  # nosec B608 # noqa: S608 (our own names)


def geometry_blob(geometry: BaseGeometry, srs_id: int) -> bytes:
    """A geometry as GeoPackages hold it: a header with the envelope, then WKB (both little-endian)."""
    x_0, y_0, x_1, y_1 = geometry.bounds
    wkb: bytes = shapely.to_wkb(geometry, byte_order=1)
    return b"GP\x00\x03" + struct.pack("<i4d", srs_id, x_0, x_1, y_0, y_1) + wkb


def _index_triggers(connection: sqlite3.Connection, table: str) -> None:
    """What keeps the spatial index right when someone edits the table later (GeoPackage, annex F.3)."""
    connection.execute(
        "INSERT OR REPLACE INTO gpkg_extensions VALUES (?, 'geom', 'gpkg_rtree_index',"
        " 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only')",
        (table,),
    )
    index = f"rtree_{table}_geom"
    box = "ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom)"
    has, has_not = "(NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom))", "(NEW.geom ISNULL OR ST_IsEmpty(NEW.geom))"
    put = f'INSERT OR REPLACE INTO "{index}" VALUES (NEW.fid, {box});'  # nosec B608 # noqa: S608 (our own names)
    for name, when, then in (
        ("insert", f'AFTER INSERT ON "{table}" WHEN {has}', put),
        ("update1", f'AFTER UPDATE OF geom ON "{table}" WHEN OLD.fid = NEW.fid AND {has}', put),
        (
            "update2",
            f'AFTER UPDATE OF geom ON "{table}" WHEN OLD.fid = NEW.fid AND {has_not}',
            f'DELETE FROM "{index}" WHERE id = OLD.fid;',  # nosec B608 # noqa: S608
        ),
        (
            "update3",
            f'AFTER UPDATE ON "{table}" WHEN OLD.fid != NEW.fid AND {has}',
            f'DELETE FROM "{index}" WHERE id = OLD.fid; {put}',  # nosec B608 # noqa: S608
        ),
        (
            "update4",
            f'AFTER UPDATE ON "{table}" WHEN OLD.fid != NEW.fid AND {has_not}',
            f'DELETE FROM "{index}" WHERE id IN (OLD.fid, NEW.fid);',  # nosec B608 # noqa: S608
        ),
        ("delete", f'AFTER DELETE ON "{table}" WHEN OLD.geom NOT NULL', f'DELETE FROM "{index}" WHERE id = OLD.fid;'),  # nosec B608 # noqa: S608
    ):
        connection.execute(f'CREATE TRIGGER "{index}_{name}" {when} BEGIN {then} END')
