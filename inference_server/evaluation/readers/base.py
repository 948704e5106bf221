"""What every reader gives: samples that know where their pixels are, and one error that names the file at fault."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from inference_server.errors import InvalidRequest, InvalidTile
from inference_server.geometry import BoolMask, FloatArray
from inference_server.raster import RasterTile, read_window


class InvalidData(InvalidRequest):
    """A data set's file is missing or not what its format says; the message starts with the file."""

    def __init__(self, path: Path | str, reason: str = "it could not be read", *, field: str = "data") -> None:
        super().__init__(f"{path}: {reason}", field=field)
        self.path = path


class TileSource(Protocol):
    """Gives a sample's picture when it is asked for; small, and can be sent to another process."""

    def tile(self) -> RasterTile:
        """The picture. Raises InvalidData."""


class MaskSource(Protocol):
    """Gives a sample's true mask when it is asked for."""

    def mask(self) -> BoolMask:
        """(row, col) bool. Raises InvalidData."""


@dataclass(frozen=True)
class ImageFile:
    """A picture in a file."""

    path: Path

    def tile(self) -> RasterTile:
        if not self.path.is_file():
            raise InvalidData(self.path, "expected an image, there is no such file")
        try:
            return read_window(self.path, max_pixels=1 << 40)
        except (InvalidTile, OSError) as error:
            raise InvalidData(self.path, f"expected an image, it cannot be read: {error}") from error

    def size_px(self) -> tuple[int, int]:
        """Width and height, from the header. Raises InvalidData."""
        with _opened(self.path, "an image") as dataset:
            return dataset.width, dataset.height


@dataclass(frozen=True)
class MaskFile:
    """A mask in a picture: what is not 0 belongs to it."""

    path: Path

    def mask(self) -> BoolMask:
        pixels: BoolMask = index_image(self.path) != 0
        return pixels


def index_image(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    """The first band of a picture as it is, (row, col). Raises InvalidData."""
    with _opened(path, "a mask image") as dataset:
        band: np.ndarray[Any, np.dtype[Any]] = dataset.read(1)
        return band


@contextmanager
def _opened(path: Path, what: str) -> Iterator[rasterio.DatasetReader]:
    """The picture's file. Raises InvalidData when it is missing or cannot be read."""
    if not path.is_file():
        raise InvalidData(path, f"expected {what}, there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(path)
        with dataset:
            yield dataset
    except RasterioError as error:
        raise InvalidData(path, f"expected {what}, it cannot be read: {error}") from error


@dataclass(frozen=True, eq=False)
class Sample:
    """One expression about one picture, with its truth.

    Attributes:
        id: unique in the data set and split.
        image: where the picture comes from; samples of one picture follow one another.
        image_name: of the picture, for people.
        expression: as written.
        boxes: (n, 4) x_min, y_min, x_max, y_max in pixels, n = 0 where nothing fits; None when only masks are known.
        corners: (n, 4, 2) of oriented boxes in pixels, where known.
        mask: where the true mask comes from, where known.
        category, kind: what breakdowns go by; "" where not known.
    """

    id: str
    image: TileSource
    image_name: str
    expression: str
    boxes: FloatArray | None
    corners: FloatArray | None = None
    mask: MaskSource | None = None
    category: str = ""
    kind: str = ""

    @property
    def is_negative(self) -> bool:
        return self.boxes is not None and len(self.boxes) == 0


class DataSet(Protocol):
    """A split of a data set."""

    name: str

    def samples(self) -> Iterator[Sample]:
        """Each sample, in the order of the files. Raises InvalidData."""


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises InvalidData."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidData(path, "expected a JSON file, there is no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidData(path, f"expected JSON, it may be cut off: {error}") from error


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file; one may go over several lines. Raises InvalidData."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidData(path, "expected a JSON-lines file, there is no such file") from None
    decoder = json.JSONDecoder(strict=False)
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return
        try:
            record, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise InvalidData(path, f"expected JSON objects, it may be cut off: {error}") from error
        if not isinstance(record, dict):
            raise InvalidData(path, f"expected JSON objects, got {type(record).__name__}")
        yield record


def value_of(record: Mapping[str, Any], key: str, kind: type | tuple[type, ...], path: Path) -> Any:
    """``record[key]`` of that type. Raises InvalidData."""
    if key not in record:
        raise InvalidData(path, f"expected the key {key!r} in each record, got only {', '.join(map(str, record))}")
    if not isinstance(record[key], kind):
        names = kind.__name__ if isinstance(kind, type) else " or ".join(k.__name__ for k in kind)
        raise InvalidData(path, f"{key}: expected {names}, got {record[key]!r:.80}")
    return record[key]


def numbers(value: Any, count: int, path: Path, what: str) -> FloatArray:
    """(count,) finite float64. Raises InvalidData."""
    try:
        out = np.asarray(value, float).reshape(-1)
    except (TypeError, ValueError):
        out = np.zeros(0)
    if out.shape != (count,) or not np.isfinite(out).all():
        raise InvalidData(path, f"{what}: expected {count} numbers, got {value!r:.80}")
    return out


def existing_folder(candidates: Sequence[Path], what: str) -> Path:
    """The first that is there. Raises InvalidData."""
    for path in candidates:
        if path.is_dir():
            return path
    raise InvalidData(candidates[0], f"expected the folder of {what}, there is none")
