"""The one server of this QGIS: the panel and Processing ask the same one."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from .launch import server_source
from .server_process import ServerSource
from .settings import Settings


class SharedServer:
    """Makes the source from the settings when it is first needed. Main thread only.

    Args:
        given: a source that someone else owns, instead of one from the settings.
    """

    def __init__(self, given: Optional[ServerSource] = None) -> None:
        self._given = given
        self._source = given
        self._made_from = Settings()

    def source(self) -> ServerSource:
        """Where queries get their server from.

        Raises:
            ServerProcessError: the address in the settings is not usable.
        """
        if self._source is None:
            self._made_from = _of_the_server(Settings.load())
            self._source = server_source(self._made_from)
        return self._source

    @property
    def current(self) -> Optional[ServerSource]:
        """The source in use, None before it was needed."""
        return self._source

    def renew(self) -> bool:
        """Takes up changed settings; False when none of those that make the server has changed."""
        if self._given is not None or (self._source is not None and _of_the_server(Settings.load()) == self._made_from):
            return False
        self.stop()
        return True

    def stop(self) -> None:
        """Ends what was started here; does not wait."""
        if self._given is None and self._source is not None:
            self._source.stop()
            self._source = None


def _of_the_server(settings: Settings) -> Settings:
    """The settings with all that does not concern the server set aside."""
    default = Settings()
    return replace(
        settings,
        max_tile_px=default.max_tile_px,
        results_folder=default.results_folder,
        outputs=default.outputs,
        engine=default.engine,
        min_score=default.min_score,
    )
