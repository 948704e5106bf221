"""How a raster looks: which bands are shown, how they are stretched to 8 bits, which pixels are data.

8-bit RGB stays as it is; everything else is stretched as QGIS does by default, between the 2nd and the 98th
percentile of each band.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

#: (band, row, col) or (row, col), any type that rasters have.
Pixels = NDArray[Any]

#: A band flagged alpha whose values are mostly neither clear nor opaque is no mask.
_MASK_LIKE_SHARE = 0.9
_STRETCH_PERCENTILES = (2.0, 98.0)
#: Percentiles are taken from about so many pixels.
_SAMPLE_PIXELS = 1_000_000
_NIR_NAME = re.compile(r"\bnir\b|near.?infra|\bb0?8a?\b", re.IGNORECASE)


@dataclass(frozen=True)
class DisplayBands:
    """Which bands play which part, by their number from 1.

    Attributes:
        rgb: three bands, or one that is shown in grey or through its palette.
        alpha: the band that says where data are, if any.
        nir: the near-infrared band, if any.
        is_paletted: the one band holds indices of a colour table.
    """

    rgb: tuple[int, ...]
    alpha: int | None = None
    nir: int | None = None
    is_paletted: bool = False


def display_bands(dataset: DatasetReader) -> DisplayBands:
    """The bands to show, by colour interpretation, then by description, then the first ones."""
    colors = list(dataset.colorinterp)
    names = [(name or "") for name in dataset.descriptions]
    alpha = colors.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in colors else None
    nir = next((i for i, name in enumerate(names, start=1) if _NIR_NAME.search(name)), None)
    if nir is None:
        nir = next((i for i, color in enumerate(colors, start=1) if color.name.lower() in ("nir", "nirband")), None)
    if alpha is not None and (alpha == nir or not _is_mask_like(dataset, alpha)):
        # Red, green, blue, near-infrared files are often written with the fourth band flagged alpha.
        nir, alpha = (nir or alpha), None
    if colors[0] is ColorInterp.palette:
        return DisplayBands((1,), alpha, None, is_paletted=True)
    wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(color in colors for color in wanted):
        return DisplayBands(tuple(colors.index(color) + 1 for color in wanted), alpha, nir)
    lowered = [name.lower() for name in names]
    if all(color in lowered for color in ("red", "green", "blue")):
        return DisplayBands(tuple(lowered.index(color) + 1 for color in ("red", "green", "blue")), alpha, nir)
    others = [i for i in range(1, dataset.count + 1) if i not in (alpha, nir)] or [1]
    return DisplayBands(tuple(others[:3]) if len(others) >= 3 else (others[0],), alpha, nir)


def _is_mask_like(dataset: DatasetReader, band: int) -> bool:
    values = _sample(dataset, [band])[0]
    opaque = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 1.0
    # 16-bit files may carry an 8-bit alpha; the largest value there is opaque.
    is_extreme = (values == 0) | (values == opaque) | (values == values.max())
    return bool(is_extreme.mean() >= _MASK_LIKE_SHARE)


def _sample(dataset: DatasetReader, bands: list[int], window: Window | None = None) -> Pixels:
    width = dataset.width if window is None else window.width
    height = dataset.height if window is None else window.height
    shrink = max(1.0, (width * height / _SAMPLE_PIXELS) ** 0.5)
    shape = (len(bands), max(1, int(height / shrink)), max(1, int(width / shrink)))
    sample: Pixels = dataset.read(bands, window=window, out_shape=shape, resampling=Resampling.nearest)
    return sample


def valid_pixels(dataset: DatasetReader, bands: DisplayBands, pixels: Pixels, window: Window) -> NDArray[np.bool_]:
    """Where there are data: by the alpha band, the mask or the nodata value, and finite in all bands.

    Args:
        dataset: the source.
        bands: from :func:`display_bands`.
        pixels: (band, row, col), as read.
        window: what was read.
    """
    shape = pixels.shape[1:]
    valid: NDArray[np.bool_]
    if bands.alpha is not None:
        valid = dataset.read(bands.alpha, window=window, out_shape=shape, resampling=Resampling.nearest) > 0
    elif ColorInterp.alpha in dataset.colorinterp:
        # The band flagged alpha is not one, so GDAL's own mask, made from it, means nothing.
        valid = np.ones(shape, dtype=bool)
        if dataset.nodata is not None:
            valid = (pixels[: len(bands.rgb)] != dataset.nodata).any(axis=0)
    else:
        masks = dataset.read_masks(list(bands.rgb), window=window, out_shape=(len(bands.rgb), *shape))
        valid = (masks > 0).any(axis=0)
    if pixels.dtype.kind in "fc":
        valid &= np.isfinite(pixels).all(axis=0)
    return valid


#: Lowest and highest value of each band that is shown.
Limits = tuple[tuple[float, float], ...]


def display_limits(dataset: DatasetReader, bands: DisplayBands) -> Limits | None:
    """What each shown band (near infrared last) is stretched between over the whole raster; None for 8-bit colours.

    From a sample of the raster, so that every tile of it is stretched alike.
    """
    indexes = [*bands.rgb, *([bands.nir] if bands.nir else [])]
    if bands.is_paletted or (len(bands.rgb) == 3 and all(dataset.dtypes[i - 1] == "uint8" for i in indexes)):
        return None
    pixels = _sample(dataset, indexes)
    window = Window(0, 0, dataset.width, dataset.height)
    valid = valid_pixels(dataset, bands, pixels, window)
    if not valid.any():
        return None
    return tuple(stretch_limits(band, valid) for band in pixels)


def displayed(
    dataset: DatasetReader,
    bands: DisplayBands,
    pixels: Pixels,
    valid: NDArray[np.bool_],
    *,
    limits: Limits | None = None,
) -> NDArray[np.uint8]:
    """The colours a user sees: (3, row, col) uint8, black where there are no data.

    Args:
        dataset: the source, for its palette.
        bands: from :func:`display_bands`.
        pixels: (1 or 3, row, col), as read.
        valid: (row, col) bool.
        limits: from :func:`display_limits`; from the pixels themselves when None.
    """
    if bands.is_paletted:
        table = np.zeros((256, 3), dtype=np.uint8)
        for index, color in dataset.colormap(bands.rgb[0]).items():
            if 0 <= index < 256:
                table[index] = color[:3]
        rgb = np.moveaxis(table[np.clip(pixels[0], 0, 255).astype(np.uint8)], 2, 0)
    elif pixels.dtype == np.uint8 and len(pixels) == 3:
        rgb = pixels.astype(np.uint8)
    else:
        given = limits or [None] * len(pixels)
        rgb = np.stack([_as_bytes(stretched(b, valid, limits=g)) for b, g in zip(pixels, given, strict=False)])
    if len(rgb) == 1:
        rgb = np.repeat(rgb, 3, axis=0)
    rgb = np.ascontiguousarray(rgb)
    rgb[:, ~valid] = 0
    return rgb


def _as_bytes(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.round(255 * share).astype(np.uint8))


def stretched(
    band: Pixels, valid: NDArray[np.bool_], *, limits: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """The band between its 2nd and 98th percentile as [0, 1]: (row, col) float32; 0.5 where it is constant.

    Args:
        band: (row, col), any real or complex type.
        valid: (row, col) bool, at least one True.
        limits: other values to stretch between.
    """
    # Only invalid pixels may be not finite; their value does not matter.
    values = np.where(valid, _real(band), 0).astype(np.float64)
    low, high = stretch_limits(band, valid) if limits is None else limits
    if high <= low:
        return np.full(values.shape, 0.5, dtype=np.float32)
    scaled: NDArray[np.float32] = np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
    return scaled


def _real(band: Pixels) -> Pixels:
    return np.abs(band) if band.dtype.kind == "c" else band


def stretch_limits(band: Pixels, valid: NDArray[np.bool_]) -> tuple[float, float]:
    """The band's 2nd and 98th percentile, or its range where these are the same; arguments as ``stretched``'s."""
    data = _real(band)[valid].astype(np.float64)
    low, high = np.percentile(data[:: max(1, data.size // _SAMPLE_PIXELS)], _STRETCH_PERCENTILES)
    if high <= low:  # nearly all pixels share one value: the rest shows only over the full range
        low, high = data.min(), data.max()
    return float(low), float(high)


def near_infrared(
    band: Pixels, valid: NDArray[np.bool_], *, limits: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """A near-infrared band as (row, col) float32 in [0, 1]: 8 bits over 255 as the colours are, others stretched."""
    if band.dtype == np.uint8:
        share: NDArray[np.float32] = band.astype(np.float32) / np.float32(255)
    else:
        share = stretched(band, valid, limits=limits)
    share[~valid] = 0
    return share
