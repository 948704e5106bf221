"""From the settings to a server: which interpreter, which source folder, which arguments."""

from __future__ import annotations

import configparser
import contextlib
import os
from pathlib import Path
from typing import Dict

from qgis.core import QgsSettings

from .environment import MISSING, OUTDATED, READY, Environment
from .errors import EnvironmentMissing, ServerProcessError
from .server_process import Launch, LocalServer, RunningServer, ServerSource
from .settings import Settings, data_folder, server_token

_KEPT_LOGS = 10
#: Environment variable in which the server is told where weights are kept.
MODELS_VARIABLE = "RSGROUND_MODELS"
PLUGIN_FOLDER = Path(__file__).resolve().parents[1]


def server_folder() -> Path:
    """Where the server's source lies: ``server/`` in the packaged plugin, the checkout's root otherwise."""
    packaged = PLUGIN_FOLDER / "server"
    return packaged if (packaged / "inference_server").is_dir() else PLUGIN_FOLDER.parent


def plugin_version() -> str:
    """The one version number, of metadata.txt."""
    for folder in (PLUGIN_FOLDER, PLUGIN_FOLDER.parent):
        path = folder / "metadata.txt"
        if path.is_file():
            parser = configparser.ConfigParser(interpolation=None)
            parser.read(path, encoding="utf-8")
            return parser.get("general", "version")
    raise ServerProcessError("metadata.txt is missing from the plugin's folder: install the plugin again.")


def environment() -> Environment:
    """The managed environment of this version of the plugin."""
    return Environment(data_folder() / f"env-{plugin_version()}", server_folder())


def server_log() -> Path:
    """The log of this QGIS's server, which rotates it: one for each QGIS, two writers would tear it."""
    return data_folder() / "logs" / f"server-{os.getpid()}.log"


def _prepared_log() -> Path:
    """The same, its folder made and the logs of all but the latest windows removed."""
    log = server_log()
    log.parent.mkdir(parents=True, exist_ok=True)
    old = sorted(log.parent.glob("server-*.log*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in old[_KEPT_LOGS:]:
        with contextlib.suppress(OSError):  # Windows keeps a file that is open elsewhere
            path.unlink()
    return log


def launch() -> Launch:
    """How to start our own server now. Called in the server's thread.

    Raises:
        EnvironmentMissing: there is no interpreter yet; the panel offers to set one up.
    """
    settings = Settings.load()
    arguments = ("--parent-stdin", "--parent-pid", str(os.getpid()), "--log-file", str(_prepared_log()))
    if settings.idle_unload_min > 0:
        arguments += ("--idle-unload", str(60 * settings.idle_unload_min))
    variables = ((MODELS_VARIABLE, settings.models_folder),) if settings.models_folder else ()
    if settings.interpreter:
        path = Path(settings.interpreter).expanduser()
        if not path.is_file():
            raise ServerProcessError(
                f"The interpreter in the options is not there: {path}. Choose another one, or clear the field to "
                "use RSGround's own environment."
            )
        return Launch(path, server_folder(), arguments, variables)
    managed = environment()
    state = managed.state()
    if state != READY:
        raise EnvironmentMissing(
            {
                MISSING: "RSGround needs its own Python environment, which is not there yet.",
                OUTDATED: "RSGround's Python environment was made for another version of the plugin.",
            }.get(state, "The making of RSGround's Python environment was interrupted.")
        )
    return Launch(managed.interpreter, server_folder(), arguments, variables)


def server_source(settings: Settings) -> ServerSource:
    """Where queries get their server from; main thread only (the token may need the master password).

    Raises:
        ServerProcessError: the address in the settings is not usable.
    """
    if settings.server_url:
        return RunningServer(settings.server_url, server_token())
    return LocalServer(launch)


def proxy_environment() -> Dict[str, str]:
    """QGIS's proxy as the variables that pip and uv read; empty when QGIS uses none."""
    store = QgsSettings()
    if not store.value("proxy/proxyEnabled", False, bool):
        return {}
    host = str(store.value("proxy/proxyHost", "") or "")
    kind = str(store.value("proxy/proxyType", "") or "")
    if not host or kind in ("DefaultProxy", "NoProxy"):
        return {}  # the system's own, which is in the environment already
    port = str(store.value("proxy/proxyPort", "") or "")
    user = str(store.value("proxy/proxyUser", "") or "")
    password = str(store.value("proxy/proxyPassword", "") or "")
    from urllib.parse import quote

    who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    scheme = "socks5" if kind == "Socks5Proxy" else "http"
    url = f"{scheme}://{who}{host}" + (f":{port}" if port else "")
    return {"HTTP_PROXY": url, "HTTPS_PROXY": url, "http_proxy": url, "https_proxy": url}
