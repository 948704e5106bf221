"""What can go wrong in the plugin, as one tree; every message says what was expected, what came, what to do.

RSGroundError
  TileError              the tile could not be made from the layer
    EmptyExtent            the area has no size
    OutsideLayer           the area does not meet the layer
    BlankTile              the layer showed nothing there (nodata, a web service without an answer)
    LayerGone              the layer was removed, or its source cannot be read
    TileCancelled          the user stopped the rendering
  ResultsError           the results could not be written or exported
  EnvironmentFault      the server's Python environment
    EnvironmentMissing     it was not made yet, or is outdated
    NoInterpreter          no suitable Python on this machine
    InstallFailed          pip or uv could not install the packages
    EnvironmentBusy        another QGIS is making it at this moment
  WeightsFault           weights of large models could not be listed or downloaded
  ServerProcessError     the local server could not be started, or died while starting
  ClientError            talking to the server
    ServerGone             it cannot be reached, or left in the middle of an answer
    ServerTimeout          it is there, and did not answer in time
    ProtocolMismatch       it speaks another version of the wire, or is not our server
    ServerRefused          it answered with an error: code, message and field come from the wire
  QueryCancelled         the user stopped the query
"""

from __future__ import annotations

from typing import Optional


class RSGroundError(Exception):
    """Root.

    Attributes:
        details: for the copyable part of the message (logs, traces), "" when there is nothing more.
    """

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class TileError(RSGroundError):
    """The tile could not be made from the layer."""


class EmptyExtent(TileError):
    """The area asked for has no size."""


class OutsideLayer(TileError):
    """The area asked for does not meet the layer."""


class BlankTile(TileError):
    """The layer showed nothing in the area."""


class LayerGone(TileError):
    """The layer was removed, or cannot be read."""


class TileCancelled(TileError):
    """The user stopped the rendering."""


class ResultsError(RSGroundError):
    """The results could not be written, drawn or exported."""


class EnvironmentFault(RSGroundError):
    """The server's Python environment cannot be used."""


class EnvironmentMissing(EnvironmentFault):
    """It was not made yet, or belongs to another version of the plugin."""


class NoInterpreter(EnvironmentFault):
    """No suitable Python on this machine."""


class InstallFailed(EnvironmentFault):
    """pip or uv could not install the packages."""


class EnvironmentBusy(EnvironmentFault):
    """Another QGIS is making it at this moment."""


class WeightsFault(RSGroundError):
    """Weights of large models could not be listed or downloaded; the message is the server program's own."""


class ServerProcessError(RSGroundError):
    """The local server could not be started, or died while starting."""


class ClientError(RSGroundError):
    """Talking to the server failed."""


class ServerGone(ClientError):
    """The server cannot be reached, or left in the middle of an answer."""


class ServerTimeout(ClientError):
    """The server is there, and did not answer in time."""


class ProtocolMismatch(ClientError):
    """What answers speaks another version of the wire, or is not our server."""


class ServerRefused(ClientError):
    """The server answered with an error.

    Attributes:
        code: of ``protocol.ERROR_STATUS``.
        field: the request's field at fault, or None.
    """

    def __init__(self, message: str, *, code: str, field: Optional[str] = None, details: str = "") -> None:
        super().__init__(message, details=details)
        self.code = code
        self.field = field


class QueryCancelled(RSGroundError):
    """The user stopped the query."""
