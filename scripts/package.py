"""Makes dist/rsground-<version>.zip, the plugin as plugins.qgis.org takes it.

The zip holds one folder, ``rsground_plugin/``: the plugin, metadata.txt, LICENSE, the icon, the compiled
translations where there are any, and under ``server/`` the server's source, which the plugin runs in an
environment of its own. Run it with any Python: ``python scripts/package.py [--output FOLDER]``.
"""

from __future__ import annotations

import argparse
import configparser
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOP = "rsground_plugin"
MAX_BYTES = 25_000_000
#: plugins.qgis.org refuses a package without one of these.
REQUIRED_KEYS = (
    *("name", "qgisMinimumVersion", "description", "about", "version", "author", "email"),
    *("tracker", "repository"),
)
#: What the packages consist of; anything else in a source folder stops the packaging.
PLUGIN_SUFFIXES = (".py", ".svg", ".png", ".qm", ".ts", ".qml", ".txt", ".md")
SERVER_SUFFIXES = (".py", ".txt", ".json", ".toml", ".md", ".typed", ".csv", ".npz", ".onnx")
#: Beside the server's source, what it needs of the repository, and where that goes under ``server/``.
SERVER_EXTRAS = {
    "metadata.txt": "metadata.txt",
    "pyproject.toml": "pyproject.toml",
    "setup.py": "setup.py",
    "README.md": "README.md",
    "rsground_plugin/__init__.py": "rsground_plugin/__init__.py",
    "rsground_plugin/protocol.py": "rsground_plugin/protocol.py",
}
#: The server can do without these in a plugin: they make data sets, and measure.
SERVER_LEFT_OUT = ("evaluation", "training")


def version(root: Path = ROOT) -> str:
    """The one version number. Raises SystemExit when metadata.txt lacks a required key."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(root / "metadata.txt", encoding="utf-8")
    missing = [key for key in REQUIRED_KEYS if not parser.get("general", key, fallback="").strip()]
    if missing:
        raise SystemExit(f"metadata.txt lacks what plugins.qgis.org requires: {', '.join(missing)}")
    return parser.get("general", "version")


def sources(folder: Path, suffixes: tuple, left_out: tuple = ()) -> Iterator[Path]:
    """Files of a source folder, sorted, less some of its folders. Raises SystemExit at one of an unknown kind."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_dir() or "__pycache__" in parts or any(p.startswith(".") for p in parts) or path.suffix == ".pyc":
            continue
        if parts[0] in left_out:
            continue
        if path.suffix not in suffixes:
            raise SystemExit(f"{path} is of no kind that belongs into the package ({', '.join(suffixes)})")
        yield path


def content(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Each file with its name in the zip."""
    plugin = root / "rsground_plugin"
    for path in sources(plugin, PLUGIN_SUFFIXES):
        yield path, f"{TOP}/{path.relative_to(plugin).as_posix()}"
    for name in ("metadata.txt", "LICENSE"):
        yield root / name, f"{TOP}/{name}"
    server = root / "inference_server"
    for path in sources(server, SERVER_SUFFIXES, SERVER_LEFT_OUT):
        yield path, f"{TOP}/server/inference_server/{path.relative_to(server).as_posix()}"
    for source, target in SERVER_EXTRAS.items():
        if (root / source).is_file():
            yield root / source, f"{TOP}/server/{target}"


def compile_translations(root: Path = ROOT) -> bool:
    """Makes the .qm files where lrelease is installed; without them the panel is English."""
    lrelease = next((found for found in map(shutil.which, ("lrelease", "lrelease-qt5", "lrelease6")) if found), None)
    files = sorted((root / "rsground_plugin" / "i18n").glob("*.ts"))
    if lrelease is None or not files:
        return False
    subprocess.run([lrelease, "-silent", *map(str, files)], check=True)
    return True


def package(output: Path, root: Path = ROOT) -> Path:
    """Writes the zip and returns its path."""
    target = output / f"rsground-{version(root)}.zip"
    output.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, name in content(root):
            # A fixed time, so that the same source makes the same zip.
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes())
    size = target.stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{target} has {size / 1e6:.1f} MB, plugins.qgis.org takes at most {MAX_BYTES / 1e6:.0f} MB")
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    output = parser.parse_args().output
    if not compile_translations():
        print("lrelease is missing (qttools5-dev-tools): the package holds no compiled translations", file=sys.stderr)
    target = package(output)
    print(f"{target} ({target.stat().st_size / 1e3:.0f} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
