"""Overview: where a vision-language model looks while it reads an expression and writes a box (paper, Eq. 1)."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inference_server.geometry import HBB
from inference_server.models.zeroov.boxes import box_of
from inference_server.models.zeroov.config import PROMPT, ZeroOVConfig
from inference_server.models.zeroov.interaction import Map, min_max
from inference_server.models.zeroov.rows import capturing, prepare, watching

VISION_START, IMAGE_PAD, VISION_END = "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"
#: The chat of the Qwen family, for tokenizers that bring no template.
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}"
    "{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: Qwen3-VL writes coordinates from 0 to this, relative to the image.
RELATIVE = 1000.0
#: What a tokenizer would take for its own marks, in a user's words.
_MARKS = re.compile(r"<\|[^|]*\|>|\x00")


@dataclass(frozen=True, eq=False)
class Seen:
    """A tile as the VLM has taken it in: everything of the prompt before the expression.

    Attributes:
        ids: (1, n) tokens of that part.
        cache: its keys and values.
        next_position: the position of the token that follows.
        span: (first, last + 1) of the visual tokens.
        grid: (row, col) of them.
        size: (width, height) of the tile. resized: of what the model sees.
        structure: self-attention of its vision tower over the grid's cells, (cell, cell), where it was asked for.
    """

    ids: Tensor
    cache: Any
    next_position: int
    span: tuple[int, int]
    grid: tuple[int, int]
    size: tuple[int, int]
    resized: tuple[int, int]
    structure: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Overlooked:
    """What Overview gives.

    Attributes:
        attention: A_C, (row, col) of the visual grid, in [0, 1].
        text: what the VLM wrote.
        box: the box in it, in pixels of the tile; None where there is none.
    """

    attention: Map
    text: str
    box: HBB | None


class VisionLanguageModel:
    """Qwen2.5-VL or Qwen3-VL with its tokenizer and image processor.

    Args:
        model: ``Qwen2_5_VLForConditionalGeneration``, ``Qwen3VLForConditionalGeneration`` or one with their interface.
        tokenizer: with the special tokens of the family.
        image_processor: gives ``pixel_values`` and ``image_grid_thw``.
    """

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any) -> None:
        prepare(model)
        self.model = model.eval()
        self._tokenizer = tokenizer
        self._processor = image_processor
        self._merge = int(model.config.vision_config.spatial_merge_size)
        self._patch = int(model.config.vision_config.patch_size)
        self._is_relative = "qwen3" in model.config.model_type

    @property
    def n_layers(self) -> int:
        return int(self.model.config.text_config.num_hidden_layers)

    @torch.no_grad()
    def see(self, rgb: NDArray[np.uint8], *, with_structure: bool = False, shrink: int = 1) -> Seen:
        """Takes a tile in: (3, row, col) uint8. Every expression about it goes on from here.

        ``with_structure`` keeps the self-attention of the vision tower's last global layer ("ViT in VLM", Table 2);
        ``shrink`` lets it see the tile at a fraction of its resolution, where memory is short.
        """
        height, width = rgb.shape[1:]
        picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
        if shrink > 1:
            picture = picture.reduce(shrink)
        features = self._processor(images=[picture], return_tensors="pt")
        grid_thw = features["image_grid_thw"]
        rows, cols = (int(v) // self._merge for v in grid_thw[0, 1:])
        before, _ = self._prompt("")
        ids = self._tokens(before.replace(IMAGE_PAD, IMAGE_PAD * (rows * cols)))
        image_id = self._tokenizer.convert_tokens_to_ids(IMAGE_PAD)
        kinds = (ids == image_id).int()
        positions, _ = self.model.model.get_rope_index(
            ids, mm_token_type_ids=kinds, image_grid_thw=grid_thw, attention_mask=torch.ones_like(ids)
        )
        device = self.model.device
        with watching(self._global_layer() if with_structure else None) as caught:
            out = self.model(
                input_ids=ids.to(device),
                attention_mask=torch.ones_like(ids).to(device),
                pixel_values=features["pixel_values"].to(device),
                image_grid_thw=grid_thw.to(device),
                mm_token_type_ids=kinds.to(device),
                position_ids=positions.to(device),
                use_cache=True,
                logits_to_keep=1,
            )
        places = torch.nonzero(kinds[0]).flatten()
        size = (int(grid_thw[0, 2]) * self._patch, int(grid_thw[0, 1]) * self._patch)
        return Seen(
            ids, out.past_key_values, int(positions.max()) + 1,
            (int(places[0]), int(places[-1]) + 1), (rows, cols), (width, height), size,
            self._over_cells(caught[0], grid_thw) if caught else None,
        )  # fmt: skip

    def _global_layer(self) -> Any:
        visual = self.model.model.visual
        layers = getattr(visual, "fullatt_block_indexes", None) or [len(visual.blocks) - 1]
        return visual.blocks[max(layers)].attn

    def _over_cells(self, attention: Tensor, grid_thw: Tensor) -> NDArray[np.float32]:
        """Patches come in groups of a cell each; Qwen2.5's cells are sorted by window."""
        k = self._merge**2
        cells = attention.shape[0] // k
        merged = attention.view(cells, k, cells, k).sum(3).mean(1)
        window = getattr(self.model.model.visual, "window_size", None)
        if window is not None:
            from transformers.vision_utils import get_vision_window_index

            order, _ = get_vision_window_index(
                grid_thw, spatial_merge_size=self._merge, window_size=window, patch_size=self._patch
            )
            back = torch.argsort(order.to(merged.device))
            merged = merged[back][:, back]
        out: NDArray[np.float32] = merged.cpu().numpy()
        return out

    @torch.no_grad()
    def overlook(self, seen: Seen, expression: str, config: ZeroOVConfig) -> Overlooked:
        """A_C of an expression: attention of each generated token's query to the tile, averaged (Eq. 1).

        The first pass's last query is that of the prompt's end; each further one is that of a written token.
        """
        weights = config.weight_by_layer(self.n_layers)
        device = self.model.device
        _, after = self._prompt(expression)
        ids = self._tokens(after).to(device)
        cache = copy.deepcopy(seen.cache)
        position = seen.next_position
        ends = self._ends()
        written: list[int] = []
        with capturing(frozenset(weights)) as capture:
            while len(written) < config.max_new_tokens:
                at = torch.arange(position, position + ids.shape[1], device=device)
                length = seen.ids.shape[1] + (position - seen.next_position) + ids.shape[1]
                out = self.model(
                    input_ids=ids,
                    attention_mask=torch.ones((1, length), dtype=torch.long, device=device),
                    position_ids=at.expand(3, 1, -1),
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                position += ids.shape[1]
                token = int(out.logits[0, -1].argmax())
                if token in ends:
                    break
                written.append(token)
                ids = torch.tensor([[token]], device=device)
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        attention = self._map(capture.rows, seen, weights)
        unit = (RELATIVE, RELATIVE) if self._is_relative else seen.resized
        scale = (seen.size[0] / unit[0], seen.size[1] / unit[1])
        return Overlooked(attention, text, box_of(text, scale=scale, size=seen.size))

    @staticmethod
    def _map(rows: list[dict[int, Tensor]], seen: Seen, weights: dict[int, float]) -> Map:
        first, last = seen.span
        total = np.zeros(seen.grid)
        for layer, weight in weights.items():
            mean = torch.stack([each[layer][0, first:last] for each in rows]).mean(0)
            total += weight * min_max(mean.double().cpu().numpy().reshape(seen.grid))
        return min_max(total)

    def _prompt(self, expression: str) -> tuple[str, str]:
        """The prompt's text up to the expression, and from it on."""
        mark = "\x00"
        content = [{"type": "image"}, {"type": "text", "text": PROMPT.format(expression=mark)}]
        template = None if getattr(self._tokenizer, "chat_template", None) else TEMPLATE
        text = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], chat_template=template, tokenize=False, add_generation_prompt=True
        )
        before, _, after = text.partition(mark)
        # A tokenizer may join the blank before a word with the word: it goes with the expression.
        kept = before.rstrip(" ")
        return kept, before[len(kept) :] + _MARKS.sub(" ", expression).strip() + after

    def _tokens(self, text: str) -> Tensor:
        return self._tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]

    def _ends(self) -> set[int]:
        config = self.model.generation_config
        ends = config.eos_token_id if config is not None else None
        found = set(ends) if isinstance(ends, (list, tuple)) else {ends}
        found |= {self._tokenizer.eos_token_id, self._tokenizer.convert_tokens_to_ids("<|im_end|>")}
        return {int(e) for e in found if e is not None}
