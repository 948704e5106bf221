"""A batch's output as the record of what is done: one transaction a tile, and the results in one at the end.

    rsground_run          key, value: what the run is of, as JSON
    rsground_tiles        scene, pass, tile, state ("done", "nodata"), seconds
    rsground_candidates   what the tiles found: scene, pass, tile, phrase, score, ..., shape (WKB, pixels of the pass)
    rsground_silences     why tiles found nothing, and their notes: scene, phrase, ...
    rsground_surveys      what the engine keeps in mind of a whole pass while it sees its tiles: scene, pass, JSON

SQLite with its rollback journal and full synchronisation: whatever was committed survives a kill and a power cut, and
the next to open the file rolls back what was not. A run holds the file's lock until it ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shapely

from inference_server.batch.geopackage import create_base
from inference_server.batch.tiles import Silence, TileAnswer
from inference_server.errors import Busy, CannotWrite, DiskFull, JournalMismatch

#: Of the tables' layout and of what the tiles' rows mean.
VERSION = 2
#: Values given to one query; SQLite before 3.32 takes 999.
_MOST_MARKS = 900
_TABLES = """
CREATE TABLE rsground_run (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rsground_tiles (scene INTEGER NOT NULL, pass INTEGER NOT NULL, tile INTEGER NOT NULL, state TEXT NOT NULL,
  seconds REAL NOT NULL, PRIMARY KEY (scene, pass, tile));
CREATE TABLE rsground_candidates (id INTEGER PRIMARY KEY, scene INTEGER NOT NULL, pass INTEGER NOT NULL,
  tile INTEGER NOT NULL, number INTEGER NOT NULL, phrase INTEGER NOT NULL, score REAL NOT NULL, label TEXT NOT NULL,
  brightness REAL, kind TEXT NOT NULL, is_cut INTEGER NOT NULL, shape BLOB NOT NULL);
CREATE INDEX rsground_candidates_by_phrase ON rsground_candidates (scene, phrase, pass, tile, number);
CREATE TABLE rsground_silences (scene INTEGER NOT NULL, phrase INTEGER NOT NULL, why TEXT NOT NULL,
  failed_part TEXT NOT NULL, notes TEXT NOT NULL, UNIQUE (scene, phrase, why, failed_part, notes));
CREATE TABLE rsground_surveys (scene INTEGER NOT NULL, pass INTEGER NOT NULL, survey TEXT NOT NULL,
  PRIMARY KEY (scene, pass));
INSERT INTO gpkg_contents (table_name, data_type, identifier, description) VALUES
  ('rsground_run', 'attributes', 'rsground_run', 'What this batch of RSGround is of');
"""


class Journal:
    """An open journal. One thread at a time; close it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, fingerprint: Mapping[str, Any], *, restart: bool = False) -> Journal:
        """The journal of this run: a new one, or the one to continue.

        Args:
            path: the GeoPackage.
            fingerprint: what the run is of, as JSON has it.
            restart: empties the journal of another run instead of refusing it.

        Raises:
            JournalMismatch: it is of another run, or no journal at all.
            Busy: another run holds it.
            CannotWrite, DiskFull: as they say.
        """
        if not path.parent.is_dir():
            raise CannotWrite(f"{path.parent}: this folder does not exist. Make it first.", field="batch.output")
        with _translated(path):
            connection = _connect(path, "rwc")
            journal = cls(connection, path)
            try:
                differences = journal._differences(fingerprint)
                if restart or differences is None:
                    journal._refuse_foreign()
                    journal._begin_anew(fingerprint, is_empty=differences is None)
                elif differences:
                    raise _mismatch(path, differences)
            except BaseException:
                journal.close()
                raise
        return journal

    @classmethod
    def peek(cls, path: Path, fingerprint: Mapping[str, Any], *, restart: bool = False) -> JournalState:
        """What a run would find done already; changes nothing. Raises as :meth:`open`."""
        if not path.exists():
            return JournalState({}, None)
        with _translated(path):
            journal = cls(_connect(path, "rw"), path)
            try:
                differences = journal._differences(fingerprint)
                if restart or differences is None:
                    journal._refuse_foreign()
                    return JournalState({}, None)
                if differences:
                    raise _mismatch(path, differences)
                return journal.state()
            finally:
                journal.close()

    def close(self) -> None:
        self._connection.close()

    def state(self) -> JournalState:
        """The tiles that are done."""
        done: dict[tuple[int, int], set[int]] = {}
        for scene, level, tile in self._connection.execute("SELECT scene, pass, tile FROM rsground_tiles"):
            done.setdefault((scene, level), set()).add(tile)
        (mean,) = self._connection.execute(
            "SELECT avg(seconds) FROM rsground_tiles WHERE state = 'done' AND pass = 0"
        ).fetchone()
        return JournalState(done, mean)

    def add_tile(self, scene: int, level: int, tile: int, answer: TileAnswer | None, seconds: float) -> None:
        """Commits a tile; None is one without data. Raises DiskFull, CannotWrite; then nothing of it is kept."""
        with self.transaction():
            state = "nodata" if answer is None else "done"
            self._connection.execute(
                "INSERT INTO rsground_tiles VALUES (?, ?, ?, ?, ?)", (scene, level, tile, state, seconds)
            )
            if answer is None:
                return
            self._connection.executemany(
                "INSERT INTO rsground_candidates VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (scene, level, tile, number, p.phrase, p.score, p.label, p.brightness, p.kind, p.is_cut,
                     shapely.to_wkb(p.shape))
                    for number, p in enumerate(answer.pieces)
                ),
            )  # fmt: skip
            self._connection.executemany(
                "INSERT OR IGNORE INTO rsground_silences VALUES (?, ?, ?, ?, ?)",
                ((scene, s.phrase, s.why, s.failed_part, json.dumps(s.notes)) for s in answer.silences),
            )

    def add_survey(self, scene: int, level: int, survey: Mapping[str, float] | None) -> None:
        """Commits a survey. Raises DiskFull, CannotWrite."""
        with self.transaction():
            self._connection.execute(
                "INSERT INTO rsground_surveys VALUES (?, ?, ?)", (scene, level, json.dumps(survey))
            )

    def surveys(self) -> dict[tuple[int, int], Mapping[str, float] | None]:
        """All surveys by scene and pass."""
        rows = self._connection.execute("SELECT scene, pass, survey FROM rsground_surveys")
        return {(scene, level): json.loads(survey) for scene, level, survey in rows}

    def pieces(self, scene: int, level: int, phrase: int, chunk: int) -> Iterator[list[tuple[Any, ...]]]:
        """All that was found for a phrase, whatever order the tiles came in; so many rows at a time.

        A row is id, tile, score, label, brightness, kind, is_cut, shape (WKB).
        """
        rows = self._connection.execute(
            "SELECT id, tile, score, label, brightness, kind, is_cut, shape FROM rsground_candidates"
            " WHERE scene = ? AND phrase = ? AND pass = ? ORDER BY tile, number",
            (scene, phrase, level),
        )
        while some := rows.fetchmany(chunk):
            yield some

    def put_shape(self, wkb: bytes) -> int:
        """Keeps a shape, until the journal is closed, beside those of candidates; its key."""
        with _translated(self.path):
            self._connection.execute(
                "CREATE TEMP TABLE IF NOT EXISTS rsground_shapes (id INTEGER PRIMARY KEY, shape BLOB)"
            )
            key = self._connection.execute("INSERT INTO rsground_shapes VALUES (NULL, ?)", (wkb,)).lastrowid
        return -int(key or 0)

    def shapes(self, keys: Sequence[int]) -> dict[int, bytes]:
        """Shapes as WKB by key: a candidate's id, or what :meth:`put_shape` gave."""
        found: dict[int, bytes] = {}
        for table, sign in (("rsground_candidates", 1), ("rsground_shapes", -1)):
            wanted = [sign * key for key in keys if sign * key > 0]
            for start in range(0, len(wanted), _MOST_MARKS):
                some = wanted[start : start + _MOST_MARKS]
                query = f"SELECT id, shape FROM {table} WHERE id IN ({', '.join('?' * len(some))})"  # nosec B608 # noqa: S608
                found |= {sign * key: shape for key, shape in self._connection.execute(query, some)}
        return found

    def silences(self, scene: int, phrase: int) -> list[Silence]:
        """What tiles said of a phrase, in an order of its own."""
        rows = self._connection.execute(
            "SELECT why, failed_part, notes FROM rsground_silences WHERE scene = ? AND phrase = ?"
            " ORDER BY failed_part, why, notes",
            (scene, phrase),
        )
        return [Silence(phrase, why, part, tuple(json.loads(notes))) for why, part, notes in rows]

    def count(self, phrases: tuple[int, ...]) -> int:
        """How many candidates of these phrases the fine passes have."""
        marks = ", ".join("?" * len(phrases))
        query = f"SELECT count(*) FROM rsground_candidates WHERE pass = 0 AND phrase IN ({marks})"  # nosec B608 # noqa: S608
        return int(self._connection.execute(query, phrases).fetchone()[0])

    def count_nodata(self) -> int:
        query = "SELECT count(*) FROM rsground_tiles WHERE pass = 0 AND state = 'nodata'"
        return int(self._connection.execute(query).fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done within, or nothing. Raises DiskFull, CannotWrite."""
        with _translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    # -- whose it is --------------------------------------------------------------------------------

    def _tables(self) -> set[str]:
        return {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def _differences(self, fingerprint: Mapping[str, Any]) -> list[str] | None:
        """What the journal is of instead, in words; [] when it is this run's, None when there is no journal."""
        if "rsground_run" not in self._tables():
            return None
        rows = self._connection.execute("SELECT key, value FROM rsground_run").fetchall()
        known = {key: json.loads(value) for key, value in rows}
        wanted = json.loads(json.dumps({"version": VERSION, **fingerprint}))
        return [
            f"{key}: {_short(known.get(key))}, now {_short(value)}"
            for key, value in wanted.items()
            if known.get(key) != value
        ]

    def _refuse_foreign(self) -> None:
        tables = self._tables()
        if tables and "rsground_run" not in tables:
            raise JournalMismatch(
                f"{self.path} exists and is no output of a batch: it would be overwritten. Choose another name.",
                field="batch.output",
            )

    def _begin_anew(self, fingerprint: Mapping[str, Any], *, is_empty: bool) -> None:
        if not is_empty:
            self._connection.close()
            self.path.unlink()
            self._connection = _connect(self.path, "rwc")
        with self.transaction() as connection:
            create_base(connection)
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.executemany(
                "INSERT INTO rsground_run VALUES (?, ?)",
                [(key, json.dumps(value)) for key, value in {"version": VERSION, **fingerprint}.items()],
            )


class JournalState:
    """What is done: tile numbers by (scene, pass), and the mean seconds of a tile, None before any was done."""

    def __init__(self, done: Mapping[tuple[int, int], set[int]], tile_s: float | None) -> None:
        self._done = done
        self.tile_s = tile_s

    def done(self, scene: int, level: int) -> set[int]:
        return self._done.get((scene, level), set())


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Several threads use it, one after the other.
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=2.0
    )
    for pragma in ("journal_mode = DELETE", "synchronous = FULL", "locking_mode = EXCLUSIVE"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _mismatch(path: Path, differences: list[str]) -> JournalMismatch:
    return JournalMismatch(
        f"{path} holds a batch of something else ({'; '.join(differences)}). Start it anew (--restart), or choose"
        " another output.",
        field="batch.output",
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "is full" in text:
            raise DiskFull(
                f"{path}: the disk is full. What was done before is kept; make room and run the same again.",
                field="batch.output",
            ) from error
        if "locked" in text:
            raise Busy(f"{path} is in use by another run. Wait for it, or choose another output.") from error
        if "not a database" in text:
            raise JournalMismatch(
                f"{path} exists and is no output of a batch: it would be overwritten. Choose another name.",
                field="batch.output",
            ) from error
        raise CannotWrite(f"{path} cannot be written: {error}", field="batch.output") from error
