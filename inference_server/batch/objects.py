"""Objects of a scene as columns of numbers; their shapes stay in the journal until they are looked at.

An object is some 90 bytes here, whatever its outline: a scene's size shows in the file, not in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from inference_server.batch.journal import Journal
from inference_server.outlines import CONVEX_SHARE, SMALL_PIXELS, coarsened
from inference_server.relations import Candidate

Geometries = NDArray[Any]
#: (n,) objects; see ``COLUMNS``.
Objects = NDArray[np.void]

#: What an engine gave, by code.
KINDS = ("mask", "obb", "hbb")
#: key         of the shape in the journal, pixel space of its pass, once merged of the scene's fine pass
#: brightness  NaN when unknown
#: tile        that owns it
#: rank        for suppression: 0 owned, 1 near its owner's core, -1 another tile's
#: is_cut      it reaches its window's edge within the scene
#: is_joined   made of pieces of several tiles
COLUMNS = np.dtype(
    [
        ("key", np.int64), ("score", np.float64), ("brightness", np.float64), ("bounds", np.float64, 4),
        ("area", np.float64), ("tile", np.int32), ("label", np.int32), ("kind", np.int8), ("rank", np.int8),
        ("is_cut", np.bool_), ("is_joined", np.bool_),
    ]
)  # fmt: skip
#: Rows read, pairs compared and shapes held at a time.
CHUNK = 1024


class Shelf:
    """What a journal holds of one scene: pieces by phrase and pass, shapes by key, labels by code."""

    def __init__(self, journal: Journal, scene: int) -> None:
        self._journal, self._scene = journal, scene
        self.labels: list[str] = []
        self._codes: dict[str, int] = {}
        self.rough = lru_cache(maxsize=CHUNK)(self._rough)

    def pieces(self, level: int, phrase: int) -> Iterator[tuple[Objects, Geometries]]:
        """All pieces of a phrase, in order of tile and of the engine's answer, some at a time; rank is not set."""
        for rows in self._journal.pieces(self._scene, level, phrase, CHUNK):
            keys, tiles, scores, labels, lights, kinds, cuts, shapes = zip(*rows, strict=True)
            geometries = shapely.from_wkb(shapes)
            out = np.zeros(len(rows), COLUMNS)
            out["key"], out["tile"], out["score"], out["is_cut"] = keys, tiles, scores, cuts
            out["brightness"] = np.array(lights, dtype=np.float64)
            out["label"] = [self._code(label) for label in labels]
            out["kind"] = [KINDS.index(kind) for kind in kinds]
            out["bounds"], out["area"] = shapely.bounds(geometries), shapely.area(geometries)
            yield out, geometries

    def shapes(self, keys: Sequence[int] | NDArray[np.int64]) -> Geometries:
        """The shapes of some keys, in their order."""
        unique, places = np.unique(np.asarray(keys, dtype=np.int64), return_inverse=True)
        found = self._journal.shapes(unique.tolist())
        return np.asarray(shapely.from_wkb([found[key] for key in unique.tolist()]))[places]

    def shape(self, key: int) -> MultiPolygon:
        return self.shapes([key])[0]

    def put(self, shape: MultiPolygon) -> int:
        """Keeps a shape that no tile saw; its key."""
        return self._journal.put_shape(shapely.to_wkb(shape))

    def _code(self, label: str) -> int:
        if label not in self._codes:
            self._codes[label] = len(self.labels)
            self.labels.append(label)
        return self._codes[label]

    def _rough(self, key: int) -> Polygon | MultiPolygon:
        return rough_shape(self.shape(key))


class StoredCandidate(Candidate):
    """One of some objects as relations see it, its rough shape read when asked for."""

    __slots__ = ("_number", "_objects", "_shelf")
    _number: int
    _objects: Objects
    _shelf: Shelf

    def __init__(self, shelf: Shelf, objects: Objects, number: int) -> None:
        for name, value in (("_shelf", shelf), ("_objects", objects), ("_number", number)):
            object.__setattr__(self, name, value)

    @property
    def row(self) -> Any:
        """Its ``COLUMNS``."""
        return self._objects[self._number]

    @property
    def score(self) -> float:
        return float(self.row["score"])

    @property
    def polygon(self) -> Polygon | MultiPolygon:
        return self._shelf.rough(int(self.row["key"]))

    @property
    def label(self) -> str:
        return self._shelf.labels[int(self.row["label"])]

    @property
    def source(self) -> object:
        return self

    @property
    def brightness(self) -> float | None:
        value = float(self.row["brightness"])
        return None if np.isnan(value) else value

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        x_0, y_0, x_1, y_1 = self.row["bounds"].tolist()
        return x_0, y_0, x_1, y_1

    @property
    def is_empty(self) -> bool:
        return not self.row["area"] > 0

    @property
    def kind(self) -> str:
        """ "mask", "obb" or "hbb": what the engine gave."""
        return KINDS[int(self.row["kind"])]

    @property
    def shape(self) -> MultiPolygon:
        """Exactly."""
        return self._shelf.shape(int(self.row["key"]))


def rough_shape(shape: MultiPolygon) -> Polygon | MultiPolygon:
    """As :func:`inference_server.outlines.rough_polygon` of a mask: good to a few percent, for relations."""
    hull = shape.convex_hull
    if shape.area >= CONVEX_SHARE * hull.area:
        return hull
    return coarsened(shape) if shape.area >= SMALL_PIXELS else shape


def chunks(count: int) -> Iterator[slice]:
    """So many rows, ``CHUNK`` at a time."""
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))
