"""The translations: whole, with the same placeholders, and loadable where lrelease is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from qgis.PyQt.QtCore import QTranslator

FOLDER = Path(__file__).resolve().parents[2] / "rsground_plugin" / "i18n"
FILES = sorted(FOLDER.glob("*.ts"))


def test_there_are_translations() -> None:
    assert {path.stem for path in FILES} >= {"rsground_de", "rsground_fr"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_string_is_translated_with_its_placeholders(path: Path) -> None:
    messages = list(ElementTree.parse(path).iter("message"))
    assert len(messages) > 100
    for message in messages:
        source, translation = message.find("source").text, message.find("translation")
        assert translation.get("type") is None, f"unfinished: {source}"
        assert translation.text, f"empty: {source}"
        placeholders = [sorted(re.findall(r"{[^}]*}", text)) for text in (source, translation.text)]
        assert placeholders[0] == placeholders[1], source
        assert source.count("&") == translation.text.count("&"), f"mnemonic lost: {source}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_compiled_translation_is_loaded(path: Path, tmp_path: Path) -> None:
    lrelease = shutil.which("lrelease") or shutil.which("lrelease-qt5")
    if lrelease is None or subprocess.run([lrelease, "-version"], capture_output=True, check=False).returncode:
        pytest.skip("lrelease is not installed (qttools5-dev-tools)")
    compiled = tmp_path / f"{path.stem}.qm"
    subprocess.run([lrelease, "-silent", str(path), "-qm", str(compiled)], check=True)
    translator = QTranslator()
    assert translator.load(str(compiled))
    assert translator.translate("QueryForm", "&Layer") != ""
