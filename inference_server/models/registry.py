"""The engines there are, by name: imported and made when first asked for."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from inference_server.errors import EngineUnavailable, UnknownEngine
from inference_server.models.base import Engine
from rsground_plugin.protocol import OUTPUT_KINDS, EngineInfo

logger = logging.getLogger(__name__)

DEFAULT = "default"


@dataclass(frozen=True)
class EngineSource:
    """Where an engine comes from, and what to say of it when it cannot be loaded.

    Attributes:
        make: gives the engine; ImportError or EngineUnavailable when it cannot work here.
        title: for people.
    """

    make: Callable[[], Engine]
    title: str


def imported(path: str) -> Callable[[], Engine]:
    """A factory for the class at "module:Class", imported when the engine is first made."""

    def make() -> Engine:
        module, _, name = path.partition(":")
        engine: Engine = getattr(importlib.import_module(module), name)()
        return engine

    return make


BUILT_IN: Mapping[str, EngineSource] = {
    "geobia": EngineSource(
        imported("inference_server.models.geobia.engine:GeobiaEngine"), "Embedded (object-based, no download)"
    ),
    "provg": EngineSource(imported("inference_server.models.provg.engine:ProVGEngine"), "ProVG (neural)"),
    "zeroov": EngineSource(
        imported("inference_server.models.zeroov.engine:ZeroOVEngine"), "RSVG-ZeroOV (training-free, large models)"
    ),
}


class Registry:
    """Engines by name; each is made once. Safe to use from several threads."""

    def __init__(self, sources: Mapping[str, EngineSource] = BUILT_IN, *, default: str = "geobia") -> None:
        if default not in sources:
            raise ValueError(f"Registry: expected a default among {', '.join(sources)}, got {default!r}")
        self._sources = dict(sources)
        self._default = default
        self._engines: dict[str, Engine] = {}
        #: Held while an engine is imported and made. Two threads that import what imports one another may each find a
        #: module half made: whoever imports much beside the engines takes it, too.
        self.importing = threading.Lock()

    def name_of(self, name: str) -> str:
        """The engine's own name for "default" or a name. Raises UnknownEngine."""
        name = self._default if name == DEFAULT else name
        if name not in self._sources:
            raise UnknownEngine(
                f"There is no engine {name!r}. Known: {DEFAULT}, {', '.join(self._sources)}.", field="request.engine"
            )
        return name

    def get(self, name: str) -> Engine:
        """The engine of that name, or of "default". Raises UnknownEngine, EngineUnavailable."""
        name = self.name_of(name)
        with self.importing:
            if name not in self._engines:
                try:
                    self._engines[name] = self._sources[name].make()
                except ImportError as error:
                    logger.warning("engine %s cannot be imported", name, exc_info=True)
                    raise EngineUnavailable(
                        f"The engine {name!r} needs a package that is not installed here: {error}. "
                        "Set up the server's environment anew.",
                        field="request.engine",
                    ) from error
            return self._engines[name]

    def infos(self) -> tuple[EngineInfo, ...]:
        """What each engine gives and needs; those that cannot be loaded say why."""
        return tuple(self._info(name) for name in self._sources)

    def _info(self, name: str) -> EngineInfo:
        try:
            info = self.get(name).info
        except EngineUnavailable as error:
            info = EngineInfo(
                name=name,
                title=self._sources[name].title,
                gives=OUTPUT_KINDS,
                needs="",
                limits="",
                licence="",
                revision="",
                is_available=False,
                why_unavailable=str(error),
            )
        return replace(info, name=name, is_default=name == self._default)

    def unload(self) -> None:
        """Frees the memory of every engine that was made."""
        with self.importing:
            for engine in self._engines.values():
                engine.unload()
