"""What can go wrong in the server, as one tree; each leaf has its code on the wire.

    ServerError
      InvalidTile        the tile is not a raster we can read
      EmptyTile          the tile holds no data
      InvalidExpression  nothing to look for in the words
      UnknownEngine      no engine of that name
      EngineUnavailable  the engine is known but cannot answer here
      OutOfMemory        the machine has too little memory for it
      Cancelled          the asker has gone
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


class OutOfMemory(ServerError):
    code = "out_of_memory"


class Cancelled(ServerError):
    code = "cancelled"
