"""The box that a VLM writes, read back into pixels."""

from __future__ import annotations

import re

from inference_server.geometry import HBB

_FOUR = re.compile(r"[\[(]\s*" + r"\s*,\s*".join([r"(-?\d+(?:\.\d+)?)"] * 4) + r"\s*[\])]")


def box_of(text: str, *, scale: tuple[float, float], size: tuple[int, int]) -> HBB | None:
    """The first [x1, y1, x2, y2] of an answer in pixels of the image; None without one, or where it is empty.

    Args:
        text: what the VLM wrote.
        scale: (x, y) pixels of the image to a unit of the answer: width and height of the image over those of the
            resized image for Qwen2.5-VL, over 1000 for Qwen3-VL.
        size: (width, height) of the image; what lies beyond is cut off.
    """
    found = _FOUR.search(text)
    if found is None:
        return None
    x1, y1, x2, y2 = (float(v) for v in found.groups())
    width, height = size
    left, right = sorted(min(max(x * scale[0], 0.0), width) for x in (x1, x2))
    top, bottom = sorted(min(max(y * scale[1], 0.0), height) for y in (y1, y2))
    return HBB(left, top, right, bottom) if right > left and bottom > top else None
