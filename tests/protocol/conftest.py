"""The protocol is tested as both sides have it: in the server's environment and in QGIS's Python."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
