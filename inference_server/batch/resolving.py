"""Relations over all objects of a raster, and what fits as detections on the map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from inference_server.batch.grid import bare
from inference_server.batch.journal import Journal
from inference_server.batch.objects import Objects, Shelf, StoredCandidate, chunks
from inference_server.batch.scene import Scene
from inference_server.batch.seams import Tick, whole_objects, with_coarse
from inference_server.detections import id_of, outlined_detection
from inference_server.expression import Expression, Phrase
from inference_server.geometry import HBB, hbb_corners, obb_of_points
from inference_server.outlines import simplified
from inference_server.relations import Candidate, Found, Resolution, Resolved, resolve
from rsground_plugin.protocol import Detection


class SceneObjects:
    """The whole objects of one scene by phrase, merged when first asked for.

    Args:
        journal: with all tiles.
        number: of the scene.
        scene: the scene.
        phrases: numbers of the phrases.
        tick: called now and then; what it raises ends the work.
    """

    def __init__(
        self, journal: Journal, number: int, scene: Scene, phrases: Mapping[Phrase, int], tick: Tick = lambda: None
    ) -> None:
        self._journal, self._number, self._scene, self._phrases = journal, number, scene, phrases
        self._tick = tick
        self._shelf = Shelf(journal, number)
        self._found: dict[int, Found] = {}

    def resolved(self, expression: Expression) -> Resolution:
        """What fits the expression in the scene."""
        return resolve(expression, self.find, self._scene.frame)

    def find(self, phrase: Phrase) -> Found:
        number = self._phrases[bare(phrase)]
        if number not in self._found:
            self._found[number] = self._merged(number)
        return self._found[number]

    def _merged(self, phrase: int) -> Found:
        scene, shelf = self._scene, self._shelf
        objects = whole_objects(shelf, 0, phrase, scene.fine.tiles, self._tick)
        if scene.coarse is not None:
            coarse = whole_objects(shelf, 1, phrase, scene.coarse.tiles, self._tick)
            factor = (scene.fine.width / scene.coarse.width, scene.fine.height / scene.coarse.height)
            objects = with_coarse(shelf, objects, coarse, factor, scene.margin)
        objects = self._in_area(objects)
        # By score, then by place: whatever order tiles came in, ties fall alike.
        objects = objects[np.lexsort((*objects["bounds"].T[::-1], -objects["score"]))]
        silences = self._journal.silences(self._number, phrase)
        why = next((s for s in sorted(silences, key=lambda s: (s.failed_part != "attribute", s.why)) if s.why), None)
        notes = tuple(dict.fromkeys(note for silence in silences for note in silence.notes))
        candidates = tuple(StoredCandidate(shelf, objects, number) for number in range(len(objects)))
        if candidates or why is None:
            return Found(candidates, notes=notes)
        return Found((), why.why, why.failed_part, notes)

    def _in_area(self, objects: Objects) -> Objects:
        """Those with half of their area or more in the area searched."""
        area = self._scene.area
        if area is None:
            return objects
        is_in = np.zeros(len(objects), bool)
        for part in chunks(len(objects)):
            inside = shapely.area(shapely.intersection(self._shelf.shapes(objects["key"][part]), area))
            is_in[part] = inside >= 0.5 * objects["area"][part]
        return objects[is_in]


@dataclass(frozen=True)
class Chosen:
    """Objects of one scene that fit, best first.

    Attributes:
        candidates: the objects.
        scores: (n,) float64, the final ones, relations included.
        ids: (n,) ASCII; the same for the same thing at the same place, whenever it is found.
    """

    candidates: tuple[StoredCandidate, ...]
    scores: NDArray[np.float64]
    ids: NDArray[np.bytes_]

    @classmethod
    def of(cls, found: Sequence[Resolved], scene: Scene) -> Chosen:
        """Candidates of a scene with their final scores."""
        candidates = [_stored(item.candidate) for item in found]
        scores = np.clip(np.array([item.score for item in found], dtype=np.float64), 0.0, 1.0)
        place = scene.fine.placement
        ids = np.array([id_of(c.label, place.ring(hbb_corners(HBB(*c.bounds)))) for c in candidates], dtype="S24")
        order = np.lexsort((ids, -scores))
        return cls(tuple(candidates[i] for i in order), scores[order], ids[order])

    def detections(self, scene: Scene, outputs: Sequence[str]) -> Iterator[Detection]:
        """All of them in the scene's CRS, one after the other."""
        for candidate, score, name in zip(self.candidates, self.scores.tolist(), self.ids.tolist(), strict=True):
            yield _detection(candidate, score, name.decode(), scene, outputs)


def numbered(ids: Sequence[NDArray[np.bytes_]]) -> list[NDArray[np.bytes_]]:
    """The same ids; of those that are given more than once all but the first get a number behind them."""
    every = np.concatenate([np.zeros(0, "S24"), *ids])
    names, counts = np.unique(every, return_counts=True)
    seen: dict[bytes, int] = {}
    for i in np.flatnonzero(np.isin(every, names[counts > 1])):
        name = bytes(every[i])
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            every[i] = b"%s-%d" % (name, seen[name])
    return np.split(every, np.cumsum([len(part) for part in ids])[:-1])


def _stored(candidate: Candidate) -> StoredCandidate:
    if not isinstance(candidate, StoredCandidate):
        raise TypeError(f"Expected a StoredCandidate, got {type(candidate).__name__}")
    return candidate


def _detection(candidate: StoredCandidate, score: float, name: str, scene: Scene, outputs: Sequence[str]) -> Detection:
    shape, is_mask = candidate.shape, candidate.kind == "mask"
    outline = simplified(shape) if is_mask else shape
    hull = shapely.get_coordinates(shape.convex_hull)[:-1]
    return outlined_detection(
        outline, np.ascontiguousarray(hull), scene.fine.placement,
        score=score, label=candidate.label, hbb=HBB(*shape.bounds), obb=obb_of_points(hull), pixel_area=shape.area,
        outputs=[k for k in outputs if is_mask or k != "mask"], detection_id=name,
    )  # fmt: skip
