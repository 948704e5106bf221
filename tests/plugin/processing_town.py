"""A small town with known roofs, and ways to run algorithms: inside this process, and by ``qgis_process``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import rasters
from qgis.core import QgsProcessingFeedback

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = Path(os.environ.get("RSGROUND_PYTHON", ROOT / ".venv" / "bin" / "python"))
#: Debian's wrapper passes on options for the window that qgis_process does not know (/etc/default/qgis).
QGIS_PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process") or ""
ORIGIN, PIXEL_M, EPSG = (500000.0, 5300000.0), 0.3, 32632
#: (row, col) of the upper left corner of each red roof; all have the same size.
RED_ROOFS = ((60, 60), (60, 300), (220, 180), (360, 60))
ROOF_ROWS, ROOF_COLS = 60, 90
SHADOW = 8


def write_town(path: Path, size: int = 512) -> Path:
    """Grass with red roofs and one white one: size x size pixels of 0.3 m."""
    rng = np.random.default_rng(1)
    rgb = np.stack([np.clip(rng.normal(grey, 7, (size, size)), 0, 255) for grey in (70, 105, 55)])
    for (row, col), colour in [*((place, (190, 50, 40)) for place in RED_ROOFS), ((380, 330), (235, 235, 230))]:
        for band, grey in enumerate(colour):
            # Without a shadow and a ridge it might as well be a court.
            rgb[band, row + SHADOW : row + ROOF_ROWS + SHADOW, col + SHADOW : col + ROOF_COLS + SHADOW] *= 0.35
            roof = rng.normal(grey, 5, (ROOF_ROWS, ROOF_COLS))
            roof[ROOF_ROWS // 2 :] *= 0.88
            rgb[band, row : row + ROOF_ROWS, col : col + ROOF_COLS] = np.clip(roof, 0, 255)
    transform = (ORIGIN[0], PIXEL_M, 0.0, ORIGIN[1], 0.0, -PIXEL_M)
    return rasters.write(path, rgb.astype(np.uint8), transform, EPSG)


def red_roof_centres() -> list[tuple[float, float]]:
    """In map coordinates."""
    return [
        (ORIGIN[0] + PIXEL_M * (col + ROOF_COLS / 2), ORIGIN[1] - PIXEL_M * (row + ROOF_ROWS / 2))
        for row, col in RED_ROOFS
    ]


class Log(QgsProcessingFeedback):
    """Keeps what an algorithm says."""

    def __init__(self) -> None:
        super().__init__(False)
        self.loaded: set[str] = set()
        self.warnings: list[str] = []
        self.errors: list[str] = []
        self.infos: list[str] = []
        self.progresses: list[float] = []
        self.progressChanged.connect(self.progresses.append)

    def pushWarning(self, warning: str) -> None:
        self.warnings.append(warning)

    def reportError(self, error: str, fatalError: bool = False) -> None:  # noqa: N803 - QGIS names it
        self.errors.append(error)

    def pushInfo(self, info: str) -> None:
        self.infos.append(info)


class QgisProcess:
    """``qgis_process`` in a profile of its own in which the checkout's plugin is enabled, on no display."""

    def __init__(self, folder: Path) -> None:
        plugins = folder / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "rsground_plugin").mkdir()
        for part in (ROOT / "rsground_plugin").iterdir():
            (plugins / "rsground_plugin" / part.name).symlink_to(part)
        (plugins / "rsground_plugin" / "metadata.txt").symlink_to(ROOT / "metadata.txt")
        dropped = ("DISPLAY", "WAYLAND_DISPLAY", "PYTHONPATH")
        self.environment = {k: v for k, v in os.environ.items() if k not in dropped}
        self.environment.update(
            QT_QPA_PLATFORM="offscreen",
            QGIS_PLUGINPATH=str(plugins),
            QGIS_CUSTOM_CONFIG_PATH=str(folder / "profile"),
            RSGROUND_PYTHON=str(INTERPRETER),
            HOME=str(folder),
        )
        self._profile = folder / "profile"
        enabled = self("plugins", "enable", "rsground_plugin", timeout_s=60)
        assert enabled.returncode == 0, enabled.stdout + enabled.stderr

    def __call__(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess:
        return subprocess.run(
            [QGIS_PROCESS, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def use_server(self, port: int, token: str) -> None:
        """Lets the plugin ask a server that runs already, as the options do."""
        (ini,) = self._profile.rglob("QGIS3.ini")
        ini.write_text(ini.read_text() + f"\n[rsground]\nserver_url=http://127.0.0.1:{port}\n")
        self.environment["RSGROUND_TOKEN"] = token

    def run(self, algorithm: str, **inputs: Any) -> dict[str, Any]:
        """The outputs of an algorithm; fails with what it said when it does not succeed.

        A list is given as its parameter repeated.
        """
        lists = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
        pairs = [f"{name}={one}" for name, values in lists.items() for one in values]
        done = self("--json", "run", algorithm, "--", *pairs)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return json.loads(done.stdout[done.stdout.index("{") :])["results"]
