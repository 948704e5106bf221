"""A batch over a Ray cluster of two local nodes, one of which is lost on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from batch_scenes import contents, make_slow_registry, pixel_boxes, planted, run
from fake_engine import FakeEngine, registry

from inference_server.batch.run import Batch
from inference_server.errors import EngineUnavailable, OutOfMemory
from rsground_plugin.protocol import BatchRequest, TileEvent

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

SIDE = 5000
BOXES = [(r, c, 40, 60) for r in range(60, SIDE - 60, 480) for c in range(60, SIDE - 60, 480)]


class DeadlyEngine(FakeEngine):
    """Ends its process, as the kernel does when memory is short."""

    def encode(self, tile, progress):
        os._exit(9)


def make_deadly():
    return registry(DeadlyEngine())


@pytest.fixture
def cluster(monkeypatch):
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here), str(here.parents[1])]))
    cluster = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False},
    )
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def prepared(raster, output, cluster, make=make_slow_registry):
    return Batch.prepare(BatchRequest((str(raster),), ("houses",), str(output)), make, ray=cluster.address)


def test_losing_a_node_loses_no_tile(cluster, tmp_path):
    second = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    raster = planted(tmp_path / "a.tif", *BOXES, height=SIDE, width=SIDE)
    lost = []

    def on_event(event):
        if isinstance(event, TileEvent) and event.done >= 8 and not lost:
            # Both nodes' only slots are taken.
            lost.append(ray.available_resources().get("CPU", 0.0))
            cluster.remove_node(second, allow_graceful=False)

    batch = prepared(raster, tmp_path / "ray.gpkg", cluster)
    assert batch.plan.total == 25
    batch.run(on_event)
    assert lost == [0.0]
    assert pixel_boxes(tmp_path / "ray.gpkg") == sorted(BOXES)
    run(raster, ["houses"], tmp_path / "here.gpkg")
    assert contents(tmp_path / "ray.gpkg") == contents(tmp_path / "here.gpkg")


def test_a_tile_that_ends_every_worker_is_given_up(cluster, tmp_path):
    raster = planted(tmp_path / "a.tif", (60, 60, 20, 20), height=500, width=500)
    with pytest.raises(OutOfMemory, match="same tile"):
        prepared(raster, tmp_path / "out.gpkg", cluster, make_deadly).run(lambda event: None)


def test_a_cluster_that_is_not_there(tmp_path):
    raster = planted(tmp_path / "a.tif", (60, 60, 20, 20), height=500, width=500)
    request = BatchRequest((str(raster),), ("houses",), str(tmp_path / "out.gpkg"))
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        Batch.prepare(request, make_slow_registry, ray="127.0.0.1:1").run(lambda event: None)
