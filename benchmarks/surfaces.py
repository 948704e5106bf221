"""How well classes are found in pictures whose land cover was labelled by eye: mean precision at box IoU 0.5.

``python benchmarks/surfaces.py --network OLD.onnx``: each patch of a label is an object; the nodes that the engine
settles on are ranked by the network alone, by network and rules weighed by hand, and by the engine's own degree. It
says something of new scenes only with a network that did not learn from these pictures, as that of commit 97cb539
(``git show 97cb539:inference_server/models/evidence/evidence.onnx > OLD.onnx``), and of the engine's degree only with
verdicts that did not, either: today's did.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np

from inference_server.evaluation.metrics import average_precision
from inference_server.geometry import iou_hbb
from inference_server.models.base import silent
from inference_server.models.evidence.runtime import MODEL, evidence_of
from inference_server.models.geobia.classes import THINGS, by_rules, degree, weighed
from inference_server.models.geobia.engine import Encoding, GeobiaEngine
from inference_server.models.geobia.selection import settle
from inference_server.training.geobia_surfaces import surfaces
from inference_server.training.geobia_verdicts import KNOWN, known_share, placed

CLASSES = ("building", "runway", "road", "parking lot")
#: Nodes that score less are not looked at, nor more than so many.
LEAST, AT_MOST = 0.08, 60
RANKED_BY = ("network", "by hand", "engine")


def rankings(encoding: Encoding, name: str) -> dict[str, np.ndarray]:
    nodes = encoding.nodes
    by_hand = weighed(name, nodes, by_rules(name, nodes))
    return dict(zip(RANKED_BY, (nodes.witness.seen((name,)), by_hand, degree(name, nodes)), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--network", type=Path, default=MODEL, help="an evidence.onnx")
    args = parser.parse_args()
    engine = GeobiaEngine(partial(evidence_of, model=args.network))
    found: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    for tile in surfaces(args.data):
        encoding = engine.encode(placed(tile), silent)
        is_known = known_share(encoding.forest, tile.known) > KNOWN
        for name in CLASSES:
            boxes = np.array([o.box for o in tile.objects if o.name == name]).reshape(-1, 4)
            for by, score in rankings(encoding, name).items():
                is_surface = name not in THINGS
                chosen = np.array(settle(encoding.forest, score, LEAST, is_surface=is_surface, at_most=AT_MOST), int)
                agreement = iou_hbb(encoding.forest.boxes[chosen], boxes)
                # Where nobody labelled, what agrees with no object is neither right nor wrong.
                counts = is_known[chosen] | (agreement.max(axis=1, initial=0.0) >= 0.5)
                found[name, by].append((score[chosen[counts]], agreement[counts]))
        print(tile.name, end=" ", flush=True)
    print(f"\n{'class':14}{'objects':>8}" + "".join(f"{by:>10}" for by in RANKED_BY))
    for name in CLASSES:
        wanted = sum(agreement.shape[1] for _, agreement in found[name, RANKED_BY[0]])
        print(f"{name:14}{wanted:8}" + "".join(f"{average_precision(found[name, by]):10.3f}" for by in RANKED_BY))


if __name__ == "__main__":
    main()
