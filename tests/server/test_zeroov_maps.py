"""RSVG-ZeroOV without its models: interaction, growth, masks and refinement on planted attention."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference_server.geometry import HBB, Mask
from inference_server.models.zeroov.boxes import box_of
from inference_server.models.zeroov.config import ZeroOVConfig
from inference_server.models.zeroov.evolve import evolved, grown, instances, seeds_of
from inference_server.models.zeroov.grounding import attend, ground
from inference_server.models.zeroov.interaction import interact, min_max, resized
from inference_server.regions import build_region_tree
from inference_server.segmenter import RegionSegmenter

WAYS = ("propagate", "cosine", "anchor", "multiplication", "exponentiation")
SIDE = 32
#: Cells (row, col, row, col) of the planted thing, and of a look-alike far from it.
THING, OTHER = (8, 6, 18, 14), (22, 22, 29, 30)


def depth_first(seeds: np.ndarray, response: np.ndarray, above: float) -> np.ndarray:
    """Eq. 6 read aloud: from each seed to every neighbour that responds, and on from there."""
    out = seeds.copy()
    stack = list(zip(*np.nonzero(seeds), strict=True))
    while stack:
        i, j = stack.pop()
        for u in range(max(0, i - 1), min(response.shape[0], i + 2)):
            for v in range(max(0, j - 1), min(response.shape[1], j + 2)):
                if not out[u, v] and response[u, v] > above:
                    out[u, v] = True
                    stack.append((u, v))
    return out


sides = st.integers(1, 12)
maps = arrays(np.float64, st.tuples(sides, sides), elements=st.sampled_from(np.linspace(0, 1, 9)))


@settings(max_examples=500)
@given(maps, st.integers(1, 8), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.randoms(use_true_random=False))
def test_growth_equals_a_depth_first_search(response: np.ndarray, count: int, above: float, random: object) -> None:
    cross = np.random.default_rng(random.getrandbits(32)).permutation(response.ravel()).reshape(response.shape)
    seeds = seeds_of(cross, count)
    np.testing.assert_array_equal(grown(seeds, response, above), depth_first(seeds, response, above))


def test_growth_equals_a_depth_first_search_on_thousands_of_maps() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3000):
        response = rng.random(rng.integers(1, 17, 2))
        cross = rng.random(response.shape)
        seeds, above = seeds_of(cross, int(rng.integers(1, 9))), float(rng.random())
        np.testing.assert_array_equal(grown(seeds, response, above), depth_first(seeds, response, above))


def test_growth_follows_a_winding_way_to_its_end() -> None:
    response = np.zeros((33, 37))
    response[::2] = 1.0
    response[1::4, -1] = response[3::4, 0] = 1.0
    seeds = np.zeros(response.shape, bool)
    seeds[0, 0] = True
    np.testing.assert_array_equal(grown(seeds, response, 0.5), response > 0.5)


def test_seeds_are_all_cells_of_the_largest_unique_values() -> None:
    cross = np.array([[0.9, 0.9, 0.1], [0.8, 0.7, 0.1]])
    assert seeds_of(cross, 2).tolist() == [[True, True, False], [True, False, False]]
    assert seeds_of(cross, 99).all()


def structure_of_blocks() -> np.ndarray:
    """A_S of a picture of two things and ground: a cell attends evenly to its own kind."""
    kind = np.zeros((SIDE, SIDE), int)
    for number, (r0, c0, r1, c1) in enumerate((THING, OTHER), 1):
        kind[r0:r1, c0:c1] = number
    same = (kind.reshape(-1)[:, None] == kind.reshape(-1)[None]).astype(np.float32)
    return same / same.sum(axis=1, keepdims=True)


def corner_attention() -> np.ndarray:
    """A_C of a VLM: a few strong cells at the rim of the thing, weak ones here and there."""
    cross = np.random.default_rng(0).uniform(0, 0.02, (SIDE, SIDE))
    cross[8:11, 6:9] = np.linspace(0.8, 1.0, 9).reshape(3, 3)
    cross[16, 12] = 0.7
    return cross


def refined_iou(cross: np.ndarray, structure: np.ndarray, how: str) -> float:
    """Mask IoU, after Refine, of the planted thing on a picture that shows it."""
    rgb = np.full((3, 256, 256), 90, np.uint8)
    for (r0, c0, r1, c1), color in ((THING, (200, 60, 50)), (OTHER, (210, 210, 200))):
        rgb[:, r0 * 8 : r1 * 8, c0 * 8 : c1 * 8] = np.array(color, np.uint8)[:, None, None]
    config = ZeroOVConfig(interaction=how)
    segmenter = RegionSegmenter(build_region_tree(rgb, np.ones((256, 256), bool)))
    attention = attend(cross, structure, config)
    found = ground(attention, (256, 256), config, segmenter=segmenter, box=None, whole=True)
    assert found[0].path == "attention"
    truth = np.zeros((256, 256), bool)
    truth[THING[0] * 8 : THING[2] * 8, THING[1] * 8 : THING[3] * 8] = True
    mask = found[0].mask.full((256, 256))
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.mark.parametrize("how", WAYS)
def test_planted_attention_finds_the_planted_thing(how: str) -> None:
    assert refined_iou(corner_attention(), structure_of_blocks(), how) >= 0.9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", WAYS)
def test_planted_attention_is_found_through_leaks_and_scatter(how: str, seed: int) -> None:
    """Two fifths of what a cell attends to lies anywhere, and A_C is scattered over the picture."""
    rng = np.random.default_rng(seed)
    leaks = rng.random((SIDE**2, SIDE**2)) ** 4
    structure = 0.6 * structure_of_blocks() + 0.4 * leaks / leaks.sum(axis=1, keepdims=True)
    # The cosine of Eq. 3 is high wherever a little of A_C lies on ground that attends to all of itself.
    scatter = 0.02 if how == "cosine" else 0.2
    cross = np.maximum(corner_attention(), rng.uniform(0, scatter, (SIDE, SIDE)))
    assert refined_iou(cross, structure, how) >= 0.9


def test_without_structure_the_thing_is_not_filled() -> None:
    """Table 2's first row: what A_S is for."""
    config = ZeroOVConfig(structure="none", refine="none")
    areas = []
    for structure in (None, structure_of_blocks()):
        attention = attend(corner_attention(), structure, config)
        found = ground(attention, (256, 256), config, segmenter=None, box=None, whole=True)
        areas.append(found[0].mask.area)
    assert areas[0] < 0.5 * areas[1]


def loops(cross: np.ndarray, s: np.ndarray, how: str) -> np.ndarray:
    """Eq. 3 and the other rows of Table 3, cell by cell."""
    n = len(cross)
    out = np.zeros((n, n))
    largest = sorted(set(cross.ravel()))[-7:]
    anchors = [(i, j) for i in range(n) for j in range(n) if cross[i, j] in largest]
    for u in range(n):
        for v in range(n):
            for i in range(n):
                for j in range(n):
                    there, back = s[i * n + j, u * n + v], s[u * n + v, i * n + j]
                    if how == "propagate":
                        out[u, v] += cross[i, j] * there
                    elif how in ("cosine", "multiplication"):
                        out[u, v] += cross[i, j] * back
                    elif how == "exponentiation":
                        out[u, v] += cross[i, j] * back**2
                    elif (i, j) in anchors:
                        out[u, v] += there / len(anchors)
            if how == "cosine":
                out[u, v] /= np.sqrt((cross**2).sum()) * np.sqrt((s[u * n + v] ** 2).sum())
    return min_max(out)


@pytest.mark.parametrize("how", WAYS)
def test_interactions_equal_loops_over_cells(how: str) -> None:
    rng = np.random.default_rng(1)
    cross, s = rng.random((4, 4)), rng.random((16, 16))
    s /= s.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(interact(cross, s, how), loops(cross, s, how), atol=1e-12)


def bilinear(values: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Each new cell from the four old ones around its centre, their border repeated."""
    out = np.zeros((rows, cols))
    high, wide = values.shape
    for i in range(rows):
        for j in range(cols):
            y = min(max((i + 0.5) * high / rows - 0.5, 0), high - 1)
            x = min(max((j + 0.5) * wide / cols - 0.5, 0), wide - 1)
            v, u = int(y), int(x)
            for a, down in ((v, 1 - (y - v)), (v + 1, y - v)):
                for b, across in ((u, 1 - (x - u)), (u + 1, x - u)):
                    if down and across:
                        out[i, j] += down * across * values[a, b]
    return out


def stretched(values: np.ndarray) -> np.ndarray:
    low, high = min(values.ravel()), max(values.ravel())
    return (values - low) / (high - low)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", WAYS)
def test_equations_1_to_7_read_aloud_agree_with_the_fast_path(how: str, seed: int) -> None:
    """From the weights of the VLM's heads and of the U-Net's layers to the mask, cell by cell."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from inference_server.models.zeroov.overview import Seen, VisionLanguageModel
    from inference_server.models.zeroov.structure import SelfAttentionRecorder, fused

    rng = np.random.default_rng(seed)
    passes, heads, grid, before, after = 3, 4, (5, 7), 2, 4
    weights = {4: 0.1, 5: 0.2, 6: 0.7}
    tokens = before + grid[0] * grid[1] + after
    attended = rng.random((passes, max(weights) + 1, heads, tokens)) ** 3
    layers = [rng.random((2, side * side, side * side)) ** 8 for side in (8, 16, 8)]
    layers = [layer / layer.sum(axis=2, keepdims=True) for layer in layers]

    rows = [{at: torch.from_numpy(attended[t, at].mean(axis=0)[None]) for at in weights} for t in range(passes)]
    seen = Seen(None, None, 0, (before, tokens - after), grid, (56, 40), (56, 40))
    recorder = SelfAttentionRecorder((8, 16))
    for layer in layers:
        recorder.add(torch.from_numpy(layer))
    config = ZeroOVConfig(interaction=how, refine="none")
    fast = attend(VisionLanguageModel._map(rows, seen, weights), fused(recorder.maps(), 8), config)
    found = resized(fast.evolved, (40, 56)) > config.mask_above

    cross = np.zeros(grid)
    for layer, weight in weights.items():
        mean = np.zeros(grid)
        for i in range(grid[0]):
            for j in range(grid[1]):
                for t in range(passes):
                    for h in range(heads):
                        mean[i, j] += attended[t, layer, h, before + i * grid[1] + j] / heads / passes  # Eq. 1
        cross += weight * stretched(mean)
    cross = stretched(bilinear(stretched(cross), 8, 8))
    structure = np.zeros((64, 64))
    for p in range(64):
        for q in range(64):
            fine = 0.0
            for a in range(2):
                for b in range(2):
                    for c in range(2):
                        for d in range(2):
                            one = (2 * (p // 8) + a) * 16 + 2 * (p % 8) + b
                            other = (2 * (q // 8) + c) * 16 + 2 * (q % 8) + d
                            fine += (layers[1][0, one, other] + layers[1][1, one, other]) / 2 / 4
            coarse = sum(layers[n][h, p, q] for n in (0, 2) for h in (0, 1)) / 4
            structure[p, q] = (coarse + fine) / 2  # Eq. 2
    focused = loops(cross, structure, how)  # Eq. 3
    largest = sorted(set(cross.ravel()))[-7:]
    seeds = np.array([[value in largest for value in row] for row in cross])  # Eq. 4
    region = depth_first(seeds, focused, 0.3)  # Eqs. 5, 6
    kept = np.array([[focused[i, j] if region[i, j] else 0.0 for j in range(8)] for i in range(8)])
    mask = bilinear(kept, 40, 56) > 0.4  # Eq. 7

    np.testing.assert_allclose(fast.cross, cross, atol=1e-6)
    np.testing.assert_allclose(fast.focused, focused, atol=1e-5)
    np.testing.assert_allclose(fast.evolved, kept, atol=1e-5)
    assert 0 < mask.sum() < mask.size
    assert (found != mask).mean() < 1e-3


def test_interaction_says_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"structure: expected shape \(16, 16\)"):
        interact(np.zeros((4, 4)), np.zeros((9, 9)), "propagate")
    with pytest.raises(ValueError, match="how: expected propagate"):
        interact(np.zeros((2, 2)), np.zeros((4, 4)), "sum")


@pytest.mark.parametrize("shape", [(5, 7), (32, 32), (1, 1), (64, 9)])
def test_interpolation_is_that_of_torch(shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    values = np.random.default_rng(0).random((9, 13))
    interpolate = torch.nn.functional.interpolate
    wanted = interpolate(torch.from_numpy(values)[None, None], shape, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(resized(values, shape), wanted[0, 0].numpy(), atol=1e-12)


def test_mask_and_instances() -> None:
    attention = np.zeros((4, 4))
    attention[0, 0], attention[3, 3] = 1.0, 0.8
    region = resized(attention, (40, 40)) > 0.4
    found = instances(region, resized(attention, (40, 40)))
    assert [(m.row, m.col) for m, _ in found] == [(0, 0), (found[1][0].row, found[1][0].col)]
    assert found[0][1] > found[1][1] > 0.4
    assert sum(m.area for m, _ in found) == region.sum()


def test_evolve_before_focus_is_another_order() -> None:
    """Growing last drops what looks alike but lies apart; growing first cannot (Table 7)."""
    alike = np.zeros((SIDE, SIDE), bool)
    for r0, c0, r1, c1 in (THING, OTHER):
        alike[r0:r1, c0:c1] = True
    structure = structure_of_blocks()
    structure[np.ix_(alike.ravel(), alike.ravel())] = 1.0 / alike.sum()
    last = attend(corner_attention(), structure, ZeroOVConfig()).evolved
    first = attend(corner_attention(), structure, ZeroOVConfig(order="evolve-focus")).evolved
    apart = (slice(OTHER[0], OTHER[2]), slice(OTHER[1], OTHER[3]))
    assert first[apart].min() > 0.9
    assert last[apart].max() == 0.0
    assert last[THING[0] : THING[2], THING[1] : THING[3]].min() > 0.9


def test_nothing_grown_falls_back_to_the_box_that_was_written_then_to_the_seeds() -> None:
    config = ZeroOVConfig(mask_above=1.0, refine="none")
    attention = attend(corner_attention(), structure_of_blocks(), config)
    box = HBB(10, 20, 50, 60)
    by_box = ground(attention, (256, 256), config, segmenter=None, box=box, whole=True)[0]
    assert (by_box.path, by_box.mask.row, by_box.mask.col, by_box.mask.pixels.shape) == ("vlm box", 20, 10, (40, 40))
    by_seeds = ground(attention, (256, 256), config, segmenter=None, box=None, whole=True)[0]
    assert by_seeds.path == "seeds"
    assert by_seeds.mask.row == 8 * 8


@pytest.mark.parametrize("kind", ["box", "mask", "points"])
def test_each_prompt_of_refine_snaps_to_the_thing(kind: str) -> None:
    rgb = np.full((3, 128, 128), 80, np.uint8)
    rgb[:, 30:80, 40:90] = 210
    truth = np.zeros((128, 128), bool)
    truth[30:80, 40:90] = True
    segmenter = RegionSegmenter(build_region_tree(rgb, np.ones((128, 128), bool)))
    config = ZeroOVConfig(refine=kind)
    cross = np.zeros((32, 32))
    cross[8:20, 10:22] = 1.0
    attention = attend(cross, None, config)
    mask: Mask = ground(attention, (128, 128), config, segmenter=segmenter, box=None, whole=True)[0].mask
    full = mask.full((128, 128))
    assert (full & truth).sum() / (full | truth).sum() > 0.9


def test_evolved_is_the_response_inside_the_region() -> None:
    cross, response = np.zeros((3, 3)), np.full((3, 3), 0.5)
    cross[0, 0] = 1.0
    response[:, 1] = 0.1
    out = evolved(cross, response, seeds=1, above=0.3)
    np.testing.assert_array_equal(out, [[0.5, 0, 0], [0.5, 0, 0], [0.5, 0, 0]])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[10, 20, 30, 40]", HBB(20, 10, 60, 20)),
        ("The box is (10.5, 20, 30, 40).", HBB(21, 10, 60, 20)),
        ("[30, 40, 10, 20]", HBB(20, 10, 60, 20)),
        ("[-5, 0, 9000, 40]", HBB(0, 0, 200, 20)),
        ("[10, 20, 10, 40]", None),
        ("I cannot see it", None),
        ("[1, 2, 3]", None),
    ],
)
def test_boxes_are_read_from_answers(text: str, wanted: HBB | None) -> None:
    assert box_of(text, scale=(2.0, 0.5), size=(200, 100)) == wanted


def test_layers_are_scaled_by_depth() -> None:
    config = ZeroOVConfig()
    assert config.weight_by_layer(28) == {16: 0.1, 17: 0.1, 18: 0.3, 19: 0.5}
    assert list(config.weight_by_layer(36)) == [21, 22, 23, 24]
    assert sum(config.weight_by_layer(4).values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"interaction": "sum"}, {"focus": "slow"}, {"resolutions": (48,)}, {"resolutions": ()}, {"grow_above": 1.5},
        {"layers": (1, 2)}, {"steps": 0},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_told(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"ZeroOVConfig.*{'layer' if 'layers' in wrong else next(iter(wrong))}"):
        ZeroOVConfig(**wrong)
