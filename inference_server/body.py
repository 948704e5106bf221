"""A request's body, bounded while it streams in, whole or as the parts of a multipart form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from inference_server.errors import BodyTooLarge, InvalidRequest


async def read_parts(
    content_type: str, content_length: str | None, chunks: AsyncIterator[bytes], *, limits: Mapping[str, int]
) -> dict[str, bytes]:
    """The named parts of a multipart/form-data body.

    Args:
        content_type: the header's value.
        content_length: the header's value, if it was sent; it is checked before anything is read.
        chunks: the body as it comes.
        limits: the parts that must be there and how many bytes each may have.

    Raises:
        BodyTooLarge: a part, or the whole, is larger than allowed; nothing beyond is kept.
        InvalidRequest: the body is no form, or a part is missing, unknown or there twice.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidRequest(
            f"Content-Type: expected multipart/form-data with a boundary, got {content_type[:100]!r}.", field="body"
        )
    # Headers and boundaries of the parts come on top of their contents.
    max_bytes = sum(limits.values()) + 64 * 1024
    if content_length is not None and content_length.isdigit() and int(content_length) > max_bytes:
        raise _too_large("body", max_bytes)
    form = _Form(limits)
    try:
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
        total = 0
        async for chunk in chunks:
            total += len(chunk)
            if total > max_bytes:
                raise _too_large("body", max_bytes)
            parser.write(chunk)
    except MultipartParseError as error:
        raise InvalidRequest(f"The body is not a well-formed multipart form: {error}", field="body") from error
    return form.finished()


async def read_bounded(chunks: AsyncIterator[bytes], content_length: str | None, max_bytes: int) -> bytes:
    """A whole body of at most so many bytes. Raises BodyTooLarge; nothing beyond is kept."""
    if content_length is not None and content_length.isdigit() and int(content_length) > max_bytes:
        raise _too_large("body", max_bytes)
    body = bytearray()
    async for chunk in chunks:
        if len(body) + len(chunk) > max_bytes:
            raise _too_large("body", max_bytes)
        body += chunk
    return bytes(body)


def _too_large(what: str, max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"{what}: expected at most {max_bytes} bytes, more came. Choose a smaller area.", field=what)


class _Form:
    """Collects parts from the parser's callbacks."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._parts: dict[str, bytearray] = {}
        self._name: str | None = None
        self._header_name = b""
        self._header_value = b""
        self._is_complete = False

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def finished(self) -> dict[str, bytes]:
        for name in self._limits:
            if name not in self._parts:
                raise InvalidRequest(f"{name}: expected a part of this name in the form, none came.", field=name)
        if not self._is_complete:
            raise InvalidRequest("The form has no closing boundary: it was cut off on its way.", field="body")
        return {name: bytes(part) for name, part in self._parts.items()}

    def _begin(self) -> None:
        self._name = None

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        name = self._name
        if name is None or name not in self._limits:
            known = ", ".join(self._limits)
            raise InvalidRequest(f"The form has a part {name!r}; expected only {known}.", field=name or "body")
        if name in self._parts:
            raise InvalidRequest(f"{name}: expected one part of this name, a second one came.", field=name)
        self._parts[name] = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        name = self._name or ""
        part = self._parts[name]
        if len(part) + end - start > self._limits[name]:
            raise _too_large(name, self._limits[name])
        part += memoryview(data)[start:end]

    def _end(self) -> None:
        self._is_complete = True
