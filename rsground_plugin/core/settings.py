"""What the user has chosen, kept in the QGIS profile under ``rsground/``.

The token of a server that someone else runs goes into QGIS's encrypted authentication database; where
that is not unlocked it is kept until QGIS ends, and never written in clear.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QStandardPaths

from ..protocol import OUTPUT_KINDS, TOKEN_VARIABLE

_PREFIX = "rsground/"
_TOKEN_KEY = "rsground/server_token"  # a setting's name, not a secret  # noqa: S105  # nosec B105

#: Developer's shortcut: this interpreter runs the server, no environment is made.
INTERPRETER_VARIABLE = "RSGROUND_PYTHON"

_session_token: Optional[str] = None


@dataclass(frozen=True)
class Settings:
    """One snapshot; read on the main thread and handed to the tasks.

    Attributes:
        interpreter: a Python that has the server's packages, "" for the managed environment.
        base_interpreter: the Python that the managed environment is made from, "" to look for one.
        server_url: of a running server, "" to start our own.
        idle_unload_min: minutes after which an idle server frees its models, 0 for never.
        max_tile_px: longest edge of a tile in pixels.
        results_folder: where GeoPackages go, "" for beside the project.
        outputs: of OUTPUT_KINDS, comma-separated.
        engine: name of the engine chosen last.
        min_score: the slider's last place, 0 to 1.
        show_why: 1 when maps of where the engine looked are wanted, else 0.
        models_folder: where `rsground models pull` keeps weights, "" for the server's own place.
    """

    interpreter: str = ""
    base_interpreter: str = ""
    server_url: str = ""
    idle_unload_min: int = 15
    max_tile_px: int = 2048
    results_folder: str = ""
    outputs: str = ",".join(OUTPUT_KINDS)
    engine: str = "default"
    min_score: float = 0.0
    show_why: int = 0
    models_folder: str = ""

    @classmethod
    def load(cls) -> Settings:
        """The profile's settings; a value of the wrong type falls back to its default."""
        store = QgsSettings()
        values = {}
        for f in fields(cls):
            kind = type(f.default)
            try:
                values[f.name] = kind(store.value(_PREFIX + f.name, f.default))
            except (TypeError, ValueError):
                values[f.name] = f.default
        settings = cls(**values)
        override = os.environ.get(INTERPRETER_VARIABLE, "")
        return replace(settings, interpreter=override) if override else settings

    def save(self, **changes: Any) -> Settings:
        """Writes the changed values and returns the new snapshot."""
        changed = replace(self, **changes)
        store = QgsSettings()
        for name in changes:
            store.setValue(_PREFIX + name, getattr(changed, name))
        return changed

    @property
    def output_kinds(self) -> tuple[str, ...]:
        kinds = tuple(k for k in OUTPUT_KINDS if k in self.outputs.split(","))
        return kinds or OUTPUT_KINDS


def data_folder() -> Path:
    """The plugin's own folder on this machine (not roaming): environments and logs."""
    base = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppLocalDataLocation)
    return Path(base or QgsApplication.qgisSettingsDirPath()) / "rsground"


def server_token() -> str:
    """The token of the server at ``server_url``; main thread only, QGIS may ask for the master password."""
    if _session_token:
        return _session_token
    from_environment = os.environ.get(TOKEN_VARIABLE, "")
    if from_environment:
        return from_environment
    manager = QgsApplication.authManager()
    if manager.isDisabled() or not manager.existsAuthSetting(_TOKEN_KEY):
        return ""
    return str(manager.authSetting(_TOKEN_KEY, "", True) or "")


def store_server_token(token: str) -> bool:
    """Keeps the token encrypted; False when QGIS's authentication database is locked or disabled.

    The token then serves until QGIS ends.
    """
    global _session_token
    _session_token = token
    manager = QgsApplication.authManager()
    if manager.isDisabled():
        return False
    if not token:
        manager.removeAuthSetting(_TOKEN_KEY)
        return True
    return bool(manager.storeAuthSetting(_TOKEN_KEY, token, True))
