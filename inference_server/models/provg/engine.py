"""The ProVG engine: an exported network run by onnxruntime, without torch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference_server.errors import EngineUnavailable
from inference_server.expression import Phrase
from inference_server.geometry import HBB
from inference_server.models.base import THREADS_VARIABLE, ExplanationMap, Predictions, Progress, ScenePart
from inference_server.models.geobia.engine import Encoding as Regions
from inference_server.models.geobia.engine import GeobiaEngine, Weighed
from inference_server.models.geobia.features import Column
from inference_server.models.geobia.vocabulary import meaning
from inference_server.models.provg import regions
from inference_server.models.provg.config import ProVGConfig
from inference_server.models.provg.inputs import feed_of, planes_of
from inference_server.models.provg.search import Array, Maps, Window, search, side_for
from inference_server.models.provg.tokenizer import SubwordTokenizer
from inference_server.raster import RasterTile
from rsground_plugin.protocol import EngineInfo

#: Where the exported network is looked for; the environment variable comes first.
VARIABLE = "RSGROUND_PROVG"
SHIPPED = Path(__file__).with_name("provg.onnx")
#: Metadata key and names that ``provg.export`` writes.
METADATA = "provg"
#: "0": the network judges regions alone, without the class rules (see ``docs/provg.md``).
RULES_VARIABLE = "RSGROUND_PROVG_RULES"
#: How much the network's part weighs beside the rules', from which agreement on (the root of how well a region is what
#: is named) it takes nothing away, and what is left of it where nothing is seen.
NETWORK, SEEN_WELL, UNSEEN = 0.1, 0.6, 0.3
#: Foreground is what is likelier than this.
LIKELY = 0.5
#: What the network is asked for, by the vocabulary's classes, whichever word it was that named one: of the words of its
#: training the one that it sees best (``benchmarks/provg.py words``).
ASKED = {
    **{name: name for name in (
        "building", "car", "bus", "truck", "vehicle", "tree", "field", "water", "river", "lake", "ship", "container",
        "parking lot", "bridge", "airplane", "runway", "road", "tennis court", "basketball court", "soccer field",
    )},
    "tank": "storage tank",
    "pool": "swimming pool",
    "court": "sports court",
    "grass": "lawn",
    "track": "athletics track",
}  # fmt: skip
#: Asked for as it is: the word by which its training named those of real towns.
ROOF = "roof"
#: Phrases whose answers are kept for a tile.
REMEMBERED = 32
#: Longest edge of the map of probabilities, in cells.
MAP_CELLS = 512


@dataclass(frozen=True, eq=False)
class Encoding:
    """A tile, ready to be asked about: its pixels, which the network reads for each phrase, and its regions.

    Attributes:
        rgb, valid: of the tile.
        regions: the region tree's nodes and what the rules know of them.
        seen: what the network said of the last phrases: (node,) how well each is one, and a map.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    regions: Regions
    seen: dict[str, tuple[Column, Array]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network says of one picture and one whole expression.

    Attributes:
        foreground: (row, col) float32 probabilities, of the picture's size.
        box: around it, in pixels of the picture; see ``corners_of``.
        presence: how likely what is named is there.
    """

    foreground: Array
    box: HBB
    presence: float


class Network:
    """An exported network in onnxruntime.

    Raises:
        EngineUnavailable: no file, no onnxruntime, or a file that is no exported ProVG.
    """

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        if not path.is_file():
            raise EngineUnavailable(
                f"ProVG's weights are not installed: expected {path}. Train them with `rsground train provg --output"
                f" FOLDER` and set {VARIABLE} to the provg.onnx that it writes.",
                field="request.engine",
            )
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as faults
        except ImportError as error:
            raise EngineUnavailable(
                "ProVG needs onnxruntime, which is not installed here: pip install onnxruntime.", field="request.engine"
            ) from error
        options = onnxruntime.SessionOptions()
        # A worker among several processes is given one thread.
        options.intra_op_num_threads = threads or int(os.environ.get(THREADS_VARIABLE, "0"))
        # The memory arena would keep the largest window's memory for good.
        options.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            metadata = json.loads(self._session.get_modelmeta().custom_metadata_map[METADATA])
            self.config = ProVGConfig.from_dict(metadata["config"])
            self.tokenizer = SubwordTokenizer(metadata["vocabulary"])
        except (KeyError, ValueError, faults.InvalidProtobuf, faults.InvalidGraph, faults.Fail) as error:
            raise EngineUnavailable(
                f"{path} is no network that `rsground train provg` exported: {error}", field="request.engine"
            ) from error
        self.revision = str(metadata["revision"])

    def feed(self, expression: str) -> dict[str, Any]:
        """An expression as the network takes it."""
        return dict(feed_of([expression], self.tokenizer, self.config.max_tokens))

    def look(
        self, rgb: NDArray[np.uint8], feed: dict[str, Any], gsd_m: float | None, side: int = 0
    ) -> tuple[Array, Array, float]:
        """Foreground (side, side), box (4,) relative, and presence for one picture (3, row, col); side 0: its own."""
        planes = planes_of(rgb, self.config, gsd_m=gsd_m, side=side)
        foreground, box, presence = self._session.run(None, {"image": planes[None], **feed})
        return foreground[0], box[0], float(presence[0])


def corners_of(foreground: Array, box: Array) -> tuple[float, float, float, float]:
    """The rectangle around the region that holds the most of the foreground; the box head's where there is none.

    The box head is the weaker of the two: it begins from all of the foreground, of however many things.

    Args:
        foreground: (row, col) probabilities.
        box: (4,) centre x, centre y, width, height, relative.

    Returns:
        x_min, y_min, x_max, y_max, relative to the picture.
    """
    labels, count = ndimage.label(foreground > LIKELY)
    if not count:
        cx, cy, w, h = (float(v) for v in box)
        return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
    best = int(ndimage.sum_labels(foreground, labels, np.arange(1, count + 1)).argmax())
    rows, cols = ndimage.find_objects(labels)[best]
    height, width = foreground.shape
    return cols.start / width, rows.start / height, cols.stop / width, rows.stop / height


def asked_for(category: str) -> str:
    """What the network is asked for: "car" for "automobile"; a word of no class that it was taught, as it is."""
    known = meaning(category)
    if known.word == ROOF:
        return ROOF
    return ASKED.get(known.name, category) if known.is_known else category


def together(weighed: Weighed, seen: Column) -> Weighed:
    """The rules' scores, less where the network sees nothing."""
    agreement = np.clip(np.sqrt(seen) / SEEN_WELL, UNSEEN, 1.0)
    return replace(weighed, score=np.asarray(weighed.score * agreement**NETWORK))


class ProVGEngine:
    """Survey, locate, verify. The pipeline asks it phrase by phrase; ``answer`` asks a whole expression at once."""

    info = EngineInfo(
        name="provg",
        title="ProVG (neural, trained for this plugin)",
        gives=("hbb", "obb", "mask"),
        needs="Nothing: no download, no GPU; each phrase costs about a second more than with the embedded engine.",
        limits="Knows the classes and colours that it was trained on, real ones of few; guesses other words.",
        licence="GPL-2.0-or-later",
        revision="",
        explains=True,
    )

    def __init__(
        self,
        path: Path | None = None,
        *,
        threads: int = 0,
        network: Network | None = None,
        trees: Path | None = None,
    ) -> None:
        """The engine of an exported network.

        Args:
            path: the file; where ``VARIABLE`` says, or the shipped one, when None.
            threads: of onnxruntime; 0 for as many as there are cores.
            network: one that is loaded already.
            trees: what judges regions; those beside the network's file, or the shipped ones, when None.

        Raises:
            EngineUnavailable: see ``Network``.
        """
        self._path = path or Path(os.environ.get(VARIABLE) or SHIPPED)
        self._threads = threads
        self._network = network
        self._regions = GeobiaEngine()
        self._is_alone = os.environ.get(RULES_VARIABLE, "1") == "0"
        self._trees = trees or regions.beside(self._path)
        # What it answers depends on the regions and the rules as well.
        parts = [self.network.revision, regions.revision(self._trees), self._regions.info.revision]
        revision = " ".join([*parts, "alone"] if self._is_alone else parts)
        self.info = replace(ProVGEngine.info, revision=revision)

    @property
    def network(self) -> Network:
        """The network, loaded when it is not. Raises EngineUnavailable."""
        if self._network is None:
            self._network = Network(self._path, threads=self._threads)
        return self._network

    def survey(self, sheet: RasterTile) -> Mapping[str, float]:
        """The tone of a scene, which the regions are judged by."""
        return self._regions.survey(sheet)

    def encode(self, tile: RasterTile, progress: Progress, part: ScenePart | None = None) -> Encoding:
        """Keeps the pixels and finds the regions."""
        return Encoding(tile.rgb, tile.valid, self._regions.encode(tile, progress, part))

    def find(self, encoding: Any, phrase: Phrase, progress: Progress) -> Predictions:
        """Candidates for a phrase, best first: regions that the network sees it in and that the rules allow.

        The network is asked for the class; colours and shapes are measured, as for the embedded engine.
        """
        parts: Regions = encoding.regions
        seen, looked = self.look(encoding, asked_for(phrase.category) or phrase.text, progress)
        if self._is_alone or not meaning(phrase.category).is_known:
            weighed = self._regions.weigh(parts, phrase, fit=seen)
        else:
            weighed = together(self._regions.weigh(parts, phrase), seen)
        found = self._regions.choose(parts, phrase, weighed)
        maps = (ExplanationMap("foreground", looked), *found.maps)
        if not found.items:
            return replace(found, why_empty=f'ProVG sees no "{phrase.text}" here.', maps=maps)
        return replace(found, maps=maps)

    def foreground(self, encoding: Encoding, phrase: str, progress: Progress) -> Maps:
        """What the network sees of a phrase, searched from coarse to fine."""
        height, width = encoding.valid.shape
        side = side_for(height, width, self.network.config.image_size)
        look = self._look(encoding, phrase, side)
        return search(height, width, side, look, told=lambda done, total: progress("searching", done, total))

    def look(self, encoding: Encoding, phrase: str, progress: Progress) -> tuple[Column, Array]:
        """What the network says of a phrase: (node,) how well each is one, and a map, ``MAP_CELLS`` long."""
        if phrase not in encoding.seen:
            height, width = encoding.valid.shape
            maps = self.foreground(encoding, phrase, progress)
            seen = regions.verified(encoding.regions, maps.overall(max(height, width)), maps.presence, self._trees)
            encoding.regions.forest.trees[0].without_pixels()
            if len(encoding.seen) >= REMEMBERED:
                del encoding.seen[next(iter(encoding.seen))]
            encoding.seen[phrase] = seen, maps.overall(MAP_CELLS) * np.float32(maps.presence)
        return encoding.seen[phrase]

    def _look(self, encoding: Encoding, expression: str, side: int) -> Callable[[Window], tuple[Array, float]]:
        network, feed = self.network, self.network.feed(expression)
        gsd_m = encoding.regions.nodes.pixel.gsd_m

        def look(window: Window) -> tuple[Array, float]:
            part = encoding.rgb[:, window.row : window.row + window.side, window.col : window.col + window.side]
            missing = [(0, 0), (0, window.side - part.shape[1]), (0, window.side - part.shape[2])]
            foreground, _, presence = network.look(np.pad(part, missing), feed, gsd_m, side)
            return foreground, presence

        return look

    def answer(self, rgb: NDArray[np.uint8], expression: str, *, gsd_m: float | None = None) -> Answer:
        """The network's own answer to a whole expression, as the paper evaluates it.

        Args:
            rgb: (3, row, col) uint8; squashed to the network's square.
            expression: any string.
            gsd_m: pixel size, None when it is not known.
        """
        rows, cols = rgb.shape[1:]
        network = self.network
        foreground, box, presence = network.look(rgb, network.feed(expression), gsd_m)
        side = network.config.image_size
        down = np.minimum(((np.arange(rows) + 0.5) * side / rows).astype(int), side - 1)
        across = np.minimum(((np.arange(cols) + 0.5) * side / cols).astype(int), side - 1)
        x0, y0, x1, y1 = corners_of(foreground, box)
        return Answer(foreground[np.ix_(down, across)], HBB(x0 * cols, y0 * rows, x1 * cols, y1 * rows), presence)

    def unload(self) -> None:
        """Frees the network; it loads again when asked."""
        self._network = None
