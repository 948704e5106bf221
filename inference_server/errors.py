"""What can go wrong in the server, as one tree; each leaf has its code on the wire.

ServerError
  InvalidTile        the tile is not a raster we can read
  EmptyTile          the tile holds no data
  InvalidExpression  nothing to look for in the words
  UnknownEngine      no engine of that name
  EngineUnavailable  the engine is known but cannot answer here
    PackageMissing     a Python package is not installed
    WeightsMissing     its weights are not on this machine
    WeightsDamaged     they are, but cannot be read, or are not what was published
    AccessDenied       the hub gives them only to those who accepted their licence
    HubUnreachable     the hub does not answer, or does not know them
  OutOfMemory        the machine has too little memory for it
  Cancelled          the asker has gone
  InvalidRequest     the body is no form, or a part of it is missing
  BodyTooLarge       more came than is taken
  ProtocolMismatch   plugin and server are of different versions
  Busy               too many queries wait already
  CannotWrite        the output file cannot be written
  JournalMismatch    a batch's output holds the journal of another run
  DiskFull           there is no room left for the output
"""

from __future__ import annotations


class ServerError(Exception):
    """Root; ``code`` is one of ``protocol.ERROR_STATUS``, ``field`` the request's field at fault."""

    code = "internal"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidTile(ServerError):
    code = "invalid_tile"


class EmptyTile(ServerError):
    code = "empty_tile"


class InvalidExpression(ServerError):
    code = "invalid_expression"


class UnknownEngine(ServerError):
    code = "unknown_engine"


class EngineUnavailable(ServerError):
    code = "engine_unavailable"


class PackageMissing(EngineUnavailable):
    """A Python package is not installed in the server's environment."""


class WeightsMissing(EngineUnavailable):
    """Weights are not on this machine."""


class WeightsDamaged(EngineUnavailable):
    """Weights cannot be read, or are not what was published."""


class AccessDenied(EngineUnavailable):
    """The hub wants a token, or a licence to be accepted first."""


class HubUnreachable(EngineUnavailable):
    """The hub does not answer, or does not know what was asked for."""


class OutOfMemory(ServerError):
    code = "out_of_memory"


class Cancelled(ServerError):
    code = "cancelled"


class InvalidRequest(ServerError):
    code = "invalid_request"


class BodyTooLarge(ServerError):
    code = "body_too_large"


class ProtocolMismatch(ServerError):
    code = "protocol_mismatch"


class Busy(ServerError):
    code = "busy"


class CannotWrite(ServerError):
    code = "internal"


class JournalMismatch(ServerError):
    code = "journal_mismatch"


class DiskFull(ServerError):
    code = "disk_full"
