"""The published weights that engines and segmenters know: who made them, which revision, how large, whose licence.

Revisions are commits, so that a later change at the hub changes nothing here. Sizes are what a pull brings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch

from inference_server.errors import InvalidRequest
from inference_server.models.store import is_repo_id

#: What a checkpoint for transformers consists of; not its copies in other formats.
CHECKPOINT = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")
DIFFUSION_PARTS = tuple(
    f"{part}/{kind}"
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
    for kind in ("*.json", "*.txt", "diffusion_pytorch_model.safetensors", "model.safetensors")
)
#: In a repository, but not wanted: second copies in lower precision.
COPIES = ("*.fp16.*", "*non_ema*")


@dataclass(frozen=True)
class Weights:
    """One set of published weights.

    Attributes:
        repo: "owner/name" at the hub; for a single file, its name.
        revision: commit; "" for a single file, whose hash says more.
        role: what they do.
        engines: which of ours can use them.
        n_bytes: of a pull, about.
        licence: as published.
        files: patterns of the names that are wanted.
        url, sha256: of a single file outside the hub.
        is_default: an engine takes these when nothing else is said.
    """

    repo: str
    revision: str
    role: str
    engines: tuple[str, ...]
    n_bytes: int
    licence: str
    files: tuple[str, ...] = CHECKPOINT
    url: str = ""
    sha256: str = ""
    is_default: bool = False

    def wants(self, name: str) -> bool:
        """Whether a file of the repository belongs to it."""
        depth = [p for p in self.files if p.count("/") == name.count("/")]
        return any(fnmatch(name, p) for p in depth) and not any(fnmatch(name, p) for p in COPIES)


_VLM, _DIFFUSION, _SEGMENTER = "vision-language model", "diffusion model", "segmenter"
_APACHE = "apache-2.0"
_META = "https://dl.fbaipublicfiles.com/segment_anything/"

CATALOGUE: tuple[Weights, ...] = (
    Weights(
        "Qwen/Qwen2.5-VL-7B-Instruct", "cc594898137f460bfe9f0759e9844b3ce807cfb5", _VLM, ("zeroov",),
        16_600_000_000, _APACHE, is_default=True,
    ),
    Weights(
        "Qwen/Qwen2.5-VL-3B-Instruct", "66285546d2b821cf421d4f5eb2576359d3770cd3", _VLM, ("zeroov",),
        7_520_000_000, "qwen-research (no commercial use)",
    ),
    Weights(
        "Qwen/Qwen3-VL-2B-Instruct", "89644892e4d85e24eaac8bacfd4f463576704203", _VLM, ("zeroov",),
        4_267_000_000, _APACHE,
    ),
    Weights(
        "Qwen/Qwen3-VL-4B-Instruct", "ebb281ec70b05090aa6165b016eac8ec08e71b17", _VLM, ("zeroov",),
        8_890_000_000, _APACHE,
    ),
    Weights(
        "CompVis/stable-diffusion-v1-4", "133a221b8aa7292a167afc5127cb63fb5005638b", _DIFFUSION, ("zeroov",),
        4_270_000_000, "creativeml-openrail-m (restricts some uses)", DIFFUSION_PARTS, is_default=True,
    ),
    Weights(
        "facebook/sam-vit-huge", "87aecf0df4ce6b30cd7de76e87673c49644bdf67", _SEGMENTER, ("zeroov",),
        2_565_000_000, _APACHE,
    ),
    Weights(
        "facebook/sam-vit-large", "6851e0441005b0fb96f2cc4dfac472f3d1b14af1", _SEGMENTER, ("zeroov",),
        1_250_000_000, _APACHE,
    ),
    Weights(
        "facebook/sam-vit-base", "70c1a07f894ebb5b307fd9eaaee97b9dfc16068f", _SEGMENTER, ("zeroov",),
        375_000_000, _APACHE,
    ),
    Weights(
        "facebook/sam2.1-hiera-large", "665f8e2ad61cf5f53d65644ff27c8ee525124610", _SEGMENTER, ("zeroov",),
        898_000_000, _APACHE,
    ),
    Weights(
        "facebook/sam2.1-hiera-base-plus", "b7320756a13354e7530a63935656d35b2f91a290", _SEGMENTER, ("zeroov",),
        323_500_000, _APACHE,
    ),
    Weights(
        "facebook/sam2.1-hiera-small", "ee5bba1d82bb8749febdf90f45e84b687142ba03", _SEGMENTER, ("zeroov",),
        184_300_000, _APACHE,
    ),
    Weights(
        "sam_vit_h_4b8939.pth", "", _SEGMENTER, ("zeroov",), 2_564_550_879, _APACHE,
        url=_META + "sam_vit_h_4b8939.pth",
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
    Weights(
        "sam_vit_l_0b3195.pth", "", _SEGMENTER, ("zeroov",), 1_249_524_607, _APACHE,
        url=_META + "sam_vit_l_0b3195.pth",
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    Weights(
        "sam_vit_b_01ec64.pth", "", _SEGMENTER, ("zeroov",), 375_042_383, _APACHE,
        url=_META + "sam_vit_b_01ec64.pth",
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
)  # fmt: skip


def chosen(name: str, catalogue: Iterable[Weights] = CATALOGUE) -> tuple[Weights, ...]:
    """The weights that a name means: an id, or an engine's name for what it takes by default.

    An id that the catalogue does not know is taken from the hub's branch "main"; the pull notes the commit.

    Raises:
        InvalidRequest: neither.
    """
    listed = tuple(catalogue)
    found = tuple(w for w in listed if w.repo == name) or tuple(w for w in listed if name in w.engines and w.is_default)
    if found:
        return found
    if is_repo_id(name):
        return (Weights(name, "main", "named by you", (), 0, "as the hub says"),)
    engines = sorted({engine for w in listed for engine in w.engines})
    raise InvalidRequest(
        f"There are no weights {name!r}. Expected an id of `rsground models list`, another owner/name of the hub, or an"
        f" engine: {', '.join(engines)}."
    )


def pinned(repo: str, catalogue: Iterable[Weights] = CATALOGUE) -> str | None:
    """The revision that the catalogue pins for an id, None where it knows none."""
    return next((w.revision or None for w in catalogue if w.repo == repo), None)


def alternatives(repo: str, catalogue: Iterable[Weights] = CATALOGUE) -> tuple[str, ...]:
    """The ids of other weights that do the same, the largest first."""
    listed = tuple(catalogue)
    roles = {w.role for w in listed if w.repo == repo}
    same = (w for w in listed if w.role in roles and w.repo != repo)
    return tuple(w.repo for w in sorted(same, key=lambda w: -w.n_bytes))
