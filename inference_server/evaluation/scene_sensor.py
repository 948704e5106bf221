"""From painted ground to a delivered orthophoto: light, shadow, haze, colour balance, blur, noise, JPEG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from inference_server.evaluation.scene_canvas import Canvas


def expose(canvas: Canvas) -> NDArray[np.uint8]:
    """The canvas as a camera delivers it: (3, row, col) uint8."""
    rng = canvas.rng
    depth = float(rng.uniform(0.5, 0.72))
    shadow = canvas.shadow()[..., None] * np.float32(depth)
    sky = np.array([0.90, 0.98, 1.16], np.float32)
    image = canvas.albedo * (1 - shadow) + canvas.albedo * shadow * sky * np.float32(1 - depth) * 0.8
    image *= np.float32(rng.uniform(0.85, 1.12))
    image = _atmosphere(image, rng)
    image = _lens(image, canvas, rng)
    noise = float(rng.uniform(0.006, 0.02))
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    image += grain * (noise * np.sqrt(np.clip(image, 0.02, 1)))
    pixels = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    return _compress(pixels, int(rng.integers(62, 96)))


def _atmosphere(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    haze = float(rng.choice([0.0, 0.04, 0.1, 0.2], p=[0.35, 0.35, 0.2, 0.1]))
    air = np.array([0.70, 0.73, 0.77], np.float32)
    image = image * (1 - haze) + air * haze
    warm = float(rng.normal(0, 0.045))
    image *= np.array([1 + warm, 1 + rng.normal(0, 0.012), 1 - warm], np.float32)
    gray = image.mean(axis=2, keepdims=True)
    image = gray + (image - gray) * np.float32(rng.uniform(0.72, 1.12))
    pivot = np.float32(0.45)
    image = pivot + (image - pivot) * np.float32(rng.uniform(0.85, 1.15))
    return np.asarray(np.clip(image, 0.01, 1.0) ** np.float32(rng.uniform(0.85, 1.15)), np.float32)


def _lens(image: NDArray[np.float32], canvas: Canvas, rng: np.random.Generator) -> NDArray[np.float32]:
    sigma = float(rng.uniform(0.45, 0.85))
    for band in range(3):
        image[..., band] = ndimage.gaussian_filter(image[..., band], sigma)
    rows, cols = canvas.shape
    x = np.linspace(-1, 1, cols, dtype=np.float32)
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    falloff = float(rng.uniform(0, 0.05))
    slope = rng.normal(0, 0.03, 2)
    image *= (1 - falloff * (x * x + y * y) + slope[0] * x + slope[1] * y)[..., None].astype(np.float32)
    return image


def _compress(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "JPEG", quality=quality)
    memory.seek(0)
    with Image.open(memory) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
