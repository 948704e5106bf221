"""Relations over all objects of a raster, and what fits as detections on the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from inference_server.batch.grid import bare
from inference_server.batch.journal import Journal
from inference_server.batch.scene import Scene
from inference_server.batch.seams import Whole, scaled, whole_objects, with_coarse
from inference_server.detections import outlined_detection, with_unique_ids
from inference_server.expression import Expression, Phrase
from inference_server.geometry import HBB, obb_of_points
from inference_server.outlines import CONVEX_SHARE, SMALL_PIXELS, simplified
from inference_server.relations import Candidate, Found, Resolution, resolve
from rsground_plugin.protocol import Detection


class SceneObjects:
    """The whole objects of one scene by phrase, merged when first asked for."""

    def __init__(self, journal: Journal, number: int, scene: Scene, phrases: Mapping[Phrase, int]) -> None:
        self._journal, self._number, self._scene, self._phrases = journal, number, scene, phrases
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
        scene, journal = self._scene, self._journal
        wholes = whole_objects(journal.pieces(self._number, 0, phrase), scene.fine.tiles)
        if scene.coarse is not None:
            coarse = whole_objects(journal.pieces(self._number, 1, phrase), scene.coarse.tiles)
            factor = (scene.fine.width / scene.coarse.width, scene.fine.height / scene.coarse.height)
            wholes = with_coarse(wholes, [scaled(whole, factor) for whole in coarse], scene.margin)
        wholes = [whole for whole in wholes if self._is_in_area(whole)]
        # By score, then by place: whatever order tiles came in, ties fall alike.
        wholes.sort(key=lambda whole: (-whole.score, whole.shape.bounds))
        silences = journal.silences(self._number, phrase)
        why = next((s for s in sorted(silences, key=lambda s: (s.failed_part != "attribute", s.why)) if s.why), None)
        notes = tuple(dict.fromkeys(note for silence in silences for note in silence.notes))
        candidates = tuple(Candidate(w.score, rough_shape(w.shape), w.label, w, w.brightness) for w in wholes)
        if candidates or why is None:
            return Found(candidates, notes=notes)
        return Found((), why.why, why.failed_part, notes)

    def _is_in_area(self, whole: Whole) -> bool:
        area = self._scene.area
        return area is None or bool(whole.shape.intersection(area).area >= 0.5 * whole.shape.area)


def rough_shape(shape: MultiPolygon) -> Polygon | MultiPolygon:
    """As :func:`inference_server.outlines.rough_polygon` of a mask: good to a few percent, for relations."""
    hull = shape.convex_hull
    if shape.area >= CONVEX_SHARE * hull.area:
        return hull
    if shape.area < SMALL_PIXELS:
        return shape
    quick = shape.simplify(1.0, preserve_topology=False)
    if quick.is_valid and abs(quick.area - shape.area) <= 0.1 * shape.area:
        return quick
    return shape.simplify(1.0, preserve_topology=True)


def detections(found: Sequence[tuple[Candidate, float]], scene: Scene, outputs: Sequence[str]) -> tuple[Detection, ...]:
    """Candidates with their final scores, in the scene's CRS, best first."""
    made = [_detection(candidate, score, scene, outputs) for candidate, score in found]
    return with_unique_ids(sorted(made, key=lambda detection: (-detection.score, detection.id)))


def _detection(candidate: Candidate, score: float, scene: Scene, outputs: Sequence[str]) -> Detection:
    whole = candidate.source
    if not isinstance(whole, Whole):
        raise TypeError(f"Candidate.source: expected a Whole, got {type(whole).__name__}")
    is_mask = whole.kind == "mask"
    outline = simplified(whole.shape) if is_mask else whole.shape
    hull = shapely.get_coordinates(whole.shape.convex_hull)[:-1]
    x_0, y_0, x_1, y_1 = whole.shape.bounds
    return outlined_detection(
        outline, np.ascontiguousarray(hull), scene.fine.placement,
        score=score, label=whole.label, hbb=HBB(x_0, y_0, x_1, y_1), obb=obb_of_points(hull),
        pixel_area=whole.shape.area, outputs=[k for k in outputs if is_mask or k != "mask"],
    )  # fmt: skip
