"""``rsground batch`` as people and scripts call it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from batch_scenes import contents, pixel_boxes, planted, write_raster

from inference_server.__main__ import FAULT, FOUND, NOTHING, USAGE, main
from rsground_plugin.protocol import BatchEndEvent, ErrorEvent, PlanEvent, TileEvent, batch_event_from_line

ROOF = "the white area"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """One bright rectangle on quiet ground: its box is 500030..500070, 5499955..5499980."""
    pixels = np.random.default_rng(0).integers(70, 76, (3, 256, 256)).astype(np.uint8)
    pixels[:, 40:90, 60:140] = 240
    return write_raster(tmp_path_factory.mktemp("scene") / "scene.tif", pixels)


def test_it_finds_reports_and_goes_on(scene, tmp_path, capsys):
    out = tmp_path / "out.gpkg"
    assert main(["batch", str(scene), "-e", ROOF, "-o", str(out)]) == FOUND
    printed = capsys.readouterr()
    assert "1 found" in printed.out
    assert "1 of 1 tiles" in printed.err
    ((row, col, height, width),) = pixel_boxes(out, "boxes")
    assert (row, col, height, width) == pytest.approx((40, 60, 50, 80), abs=6)
    assert main(["batch", str(scene), "-e", ROOF, "-o", str(out)]) == FOUND
    assert "1 done" in capsys.readouterr().err


def test_json_lines_are_the_wires(scene, tmp_path, capsys):
    assert main(["batch", str(scene), "-e", ROOF, "-o", str(tmp_path / "out.gpkg"), "--json"]) == FOUND
    told = [batch_event_from_line(line) for line in capsys.readouterr().out.splitlines()]
    assert isinstance(told[0], PlanEvent)
    assert any(isinstance(event, TileEvent) for event in told)
    assert isinstance(told[-1], BatchEndEvent)


def test_a_dry_run_writes_nothing(scene, tmp_path, capsys):
    assert main(["batch", str(scene.parent), "-e", ROOF, "-o", str(tmp_path / "out.gpkg"), "--dry-run"]) == FOUND
    assert "1 tiles" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_exit_statuses(scene, tmp_path, capsys):
    out = str(tmp_path / "out.gpkg")
    assert main(["batch", str(scene), "-e", "the red ship", "-o", out]) == NOTHING
    assert "nothing found" in capsys.readouterr().out
    assert main(["batch", str(scene), "-e", ROOF, "-o", out]) == USAGE
    assert "--restart" in capsys.readouterr().err
    assert main(["batch", str(scene), "-e", ROOF, "-o", out, "--restart", "--json"]) == FOUND
    assert main(["batch", str(scene), "-e", ROOF, "-o", out, "--workers", "0"]) == USAGE
    assert main(["batch", str(scene), "-o", out]) == USAGE
    assert main(["batch", str(tmp_path / "none.tif"), "-e", ROOF, "-o", out]) == USAGE
    assert main(["batch", str(scene), "-e", ROOF, "-o", out, "--area", "nowhere"]) == USAGE
    assert main(["batch", str(scene), "-e", ROOF, "-o", str(tmp_path / "no" / "out.gpkg")]) == FAULT
    (tmp_path / "text.tif").write_text("no raster")
    capsys.readouterr()
    assert main(["batch", str(tmp_path / "text.tif"), "-e", ROOF, "-o", out, "--json"]) == FAULT
    assert isinstance(batch_event_from_line(capsys.readouterr().out), ErrorEvent)


def test_ray_is_said_to_be_missing_and_counts_its_own_workers(scene, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    command = ["batch", str(scene), "-e", "building", "-o", str(tmp_path / "out.gpkg"), "--ray"]
    assert main(command) == FAULT
    assert 'pip install "rsground[ray]"' in capsys.readouterr().err
    assert main([*command, "--workers", "2"]) == USAGE
    assert "--workers" in capsys.readouterr().err


def test_an_area_as_extent_and_as_a_file(scene, tmp_path, capsys):
    # The roof is at 500030..500070, 5499955..5499980.
    with_it, without = "500000,5499940,500100,5500000", "500100,5499880,500120,5499900"
    for number, (extent, status) in enumerate(((with_it, FOUND), (without, NOTHING))):
        options = ["-e", ROOF, "--area", extent, "-o", str(tmp_path / f"{number}.gpkg")]
        assert main(["batch", str(scene), *options]) == status
    x_0, y_0, x_1, y_1 = map(float, with_it.split(","))
    ring = [[x_0, y_0], [x_1, y_0], [x_1, y_1], [x_0, y_1], [x_0, y_0]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    area = {
        "type": "FeatureCollection",
        "crs": crs,
        "features": [
            {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
        ],
    }
    (tmp_path / "area.geojson").write_text(json.dumps(area))
    options = ["-e", ROOF, "--area", str(tmp_path / "area.geojson"), "-o", str(tmp_path / "file.gpkg")]
    assert main(["batch", str(scene), *options]) == FOUND
    assert contents(tmp_path / "file.gpkg") == contents(tmp_path / "0.gpkg")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_how_to_go_on(tmp_path, number):
    path = planted(tmp_path / "a.tif", (100, 100, 60, 60), height=2300, width=2300)
    command = [sys.executable, str(Path(__file__).with_name("batch_cli_child.py")), str(path), "-e", "white buildings"]
    command += ["--json", "-o", str(tmp_path / "out.gpkg")]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in child.stdout:
        if isinstance(batch_event_from_line(line), TileEvent):
            child.send_signal(number)
            break
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "run the same command to go on" in err
    last = batch_event_from_line(out.splitlines()[-1])
    assert isinstance(last, ErrorEvent)
    assert last.error.code == "cancelled"
    again = subprocess.run([*command, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert batch_event_from_line(again.stdout.splitlines()[0]).plan.done >= 1
