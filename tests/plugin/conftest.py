"""A real QGIS for the plugin's tests: one application without a display, in a profile that is thrown away.

Run with QGIS's own Python, see docs/development.md::

    .venv-qgis/bin/python -m pytest tests/plugin
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Real imagery beside the repository; tests that use it skip where it is missing.
SHARED_DATA = Path(os.environ.get("RSGROUND_SHARED_DATA", ROOT.parent / "shared" / "data"))

sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))
try:
    import qgis.core  # noqa: F401 - whether it is there
except ImportError:
    # The server's tests run in an environment without QGIS, and pytest then collects this folder too.
    collect_ignore_glob = ["test_*.py"]
else:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # Statistics that QGIS computes are not to be left beside the imagery as .aux.xml.
    os.environ["GDAL_PAM_ENABLED"] = "NO"


@pytest.fixture(scope="session")
def qgis_app():
    """The QgsApplication, with widgets, kept for the whole session."""
    from qgis.core import QgsApplication, QgsNetworkAccessManager

    profile = Path(tempfile.mkdtemp(prefix="rsground_profile_"))
    QgsApplication.setPrefixPath("/usr", True)
    app = QgsApplication([], True, str(profile))
    app.initQgis()
    # A proxy of the machine must not come between the tests and their loopback servers.
    QgsNetworkAccessManager.instance().setupDefaultProxyAndCache()
    yield app
    # exitQgis() crashes while Python still holds QGIS objects; the process ends now anyway.
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(autouse=True)
def _with_qgis(qgis_app):
    """Every test here has QGIS, whether it names it or not."""
    return qgis_app


@pytest.fixture
def source():
    """The server of this checkout, for one test; it starts when it is first asked."""
    from test_server_process import launch

    from rsground_plugin.core.server_process import LocalServer

    source = LocalServer(launch)
    yield source
    source.stop(wait_s=10)


@pytest.fixture
def project(qgis_app):
    """An empty project, not the global one."""
    from qgis.core import QgsProject

    project = QgsProject()
    yield project
    project.clear()


@pytest.fixture(scope="session")
def scenes() -> Path:
    """The folder of real edge cases."""
    folder = SHARED_DATA / "scenes"
    if not folder.is_dir():
        pytest.skip(f"real imagery is not at {folder}")
    return folder
