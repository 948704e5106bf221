"""How well classes are found in pictures whose land cover was labelled by eye: mean precision at box IoU 0.5.

``python benchmarks/surfaces.py --network OLD.onnx``: each patch of a label is an object; the nodes that the engine
settles on are ranked by the network alone, by network and rules weighed by hand, and by the engine's own degree. It
says something of new scenes only with a network that did not learn from these pictures, as that of commit 97cb539
(``git show 97cb539:inference_server/models/evidence/evidence.onnx > OLD.onnx``), and of the engine's degree only with
verdicts that did not, either: today's did.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine

from inference_server.geometry import iou_hbb
from inference_server.models.base import silent
from inference_server.models.evidence.runtime import MODEL, evidence_of
from inference_server.models.geobia.classes import THINGS, by_rules, degree, weighed
from inference_server.models.geobia.engine import Encoding, GeobiaEngine
from inference_server.models.geobia.selection import settle
from inference_server.raster import RasterTile
from inference_server.training.geobia_surfaces import OBJECTS, surfaces
from inference_server.training.geobia_verdicts import known_share

CLASSES = ("building", "runway", "road", "parking lot")
#: A node counts where so much of it is labelled at all; nodes that score less are not looked at, nor more than so many.
KNOWN, LEAST, AT_MOST = 0.6, 0.08, 60


def rankings(encoding: Encoding, name: str) -> dict[str, np.ndarray]:
    nodes = encoding.nodes
    by_hand = weighed(name, nodes, by_rules(name, nodes))
    return {"network": nodes.witness.seen((name,)), "by hand": by_hand, "engine": degree(name, nodes)}


def average_precision(found: list[tuple[float, bool]], wanted: int) -> float:
    """Area under the precision-recall curve, precision made monotonic (as VOC 2010 does)."""
    hits = np.array([is_hit for _, is_hit in sorted(found, key=lambda pair: -pair[0])], float).cumsum()
    if not len(hits) or not wanted:
        return 0.0
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((np.diff(hits / wanted, prepend=0.0) * precision).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--network", type=Path, default=MODEL, help="an evidence.onnx")
    args = parser.parse_args()
    engine = GeobiaEngine(partial(evidence_of, model=args.network))
    found: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    wanted = dict.fromkeys(CLASSES, 0)
    assert set(CLASSES) <= set(OBJECTS)
    for tile in surfaces(args.data):
        affine = Affine(tile.gsd_m, 0, 500_000, 0, -tile.gsd_m, 5_500_000)
        raster = RasterTile(np.ascontiguousarray(tile.rgb), tile.valid, affine, CRS.from_epsg(32631))
        encoding = engine.encode(raster, silent)
        is_known = known_share(encoding.forest, tile.known) > KNOWN
        for name in CLASSES:
            boxes = np.array([o.box for o in tile.objects if o.name == name and o.area >= 60]).reshape(-1, 4)
            wanted[name] += len(boxes)
            for by, score in rankings(encoding, name).items():
                chosen = settle(encoding.forest, score, LEAST, is_surface=name not in THINGS, at_most=AT_MOST)
                taken: set[int] = set()
                for node in chosen:
                    agreement = iou_hbb(encoding.forest.boxes[[node]], boxes)[0] if len(boxes) else np.zeros(1)
                    best = int(agreement.argmax())
                    is_hit = agreement[best] >= 0.5 and best not in taken
                    if is_hit:
                        taken.add(best)
                    elif not is_known[node]:
                        continue
                    found.setdefault((name, by), []).append((float(score[node]), bool(is_hit)))
        print(tile.name, end=" ", flush=True)
    print(f"\n{'class':14}{'objects':>8}" + "".join(f"{by:>10}" for by in ("network", "by hand", "engine")))
    for name in CLASSES:
        values = [average_precision(found.get((name, by), []), wanted[name]) for by in ("network", "by hand", "engine")]
        print(f"{name:14}{wanted[name]:8}" + "".join(f"{value:10.3f}" for value in values))


if __name__ == "__main__":
    main()
