"""``rsground models`` against a hub on loopback: whole, interrupted, corrupted, gated, gone."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
from loopback_hub import COMMIT, LoopbackHub, serving

from inference_server.__main__ import main
from inference_server.errors import HubUnreachable, InvalidRequest, WeightsDamaged, WeightsMissing
from inference_server.models import catalogue, hub, pulling, store
from inference_server.models.catalogue import CATALOGUE, Weights, chosen, pinned
from inference_server.models.hub import Hub, size_text
from inference_server.models.store import Lock, StoredFile, locate

REPO = "someone/tiny"
FOLDER_NAME = "someone--tiny"
FILES = {
    "config.json": b'{"model_type": "sam"}',
    "model.safetensors": np.random.default_rng(0).bytes(300_000),
    "pytorch_model.bin": b"x" * 5000,
    "empty.txt": b"",
    "notes.md": b"not wanted",
}


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RSGROUND_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def loopback(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with serving(LoopbackHub(dict(FILES))) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models" / FOLDER_NAME / COMMIT


def names_in(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_pull_says_size_and_licence_then_brings_what_is_wanted(loopback, folder, capsys):
    assert main(["models", "pull", REPO, "--yes"]) == 0
    out, progress = capsys.readouterr()
    assert "300 kB, licence apache-2.0" in out
    assert f"Ready: {folder}" in out
    assert "100%" in progress
    assert names_in(folder) == {"config.json", "model.safetensors", "empty.txt", "rsground.json"}
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    lock = Lock.read(folder)
    assert (lock.revision, lock.commit, lock.licence) == ("main", COMMIT, "apache-2.0")
    assert locate(REPO, marker="config.json", variable="X") == folder


def test_nothing_is_pulled_without_a_yes(loopback, folder, capsys):
    assert main(["models", "pull", REPO]) == 1
    assert "add --yes" in capsys.readouterr().err
    assert not folder.exists()


def test_a_second_pull_brings_nothing(loopback, folder):
    main(["models", "pull", REPO, "--yes"])
    loopback.asked.clear()
    assert main(["models", "pull", REPO]) == 0
    assert [path for path, *_ in loopback.asked if "resolve" in path] == []


def test_a_broken_connection_is_gone_on_with(loopback, folder):
    loopback.cuts, loopback.cut_after = 3, 70_000
    assert main(["models", "pull", REPO, "--yes"]) == 0
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    ranges = [asked for path, asked, _ in loopback.asked if path.endswith("safetensors")]
    assert ranges == [None, "bytes=70000-", "bytes=140000-", "bytes=210000-"]


def test_a_pull_that_was_killed_goes_on_in_the_next_one(loopback, folder, capsys):
    folder.mkdir(parents=True)
    (folder / "model.safetensors.part").write_bytes(FILES["model.safetensors"][:123_456])
    assert main(["models", "pull", REPO, "--yes"]) == 0
    assert [a for p, a, _ in loopback.asked if p.endswith("safetensors")] == ["bytes=123456-"]
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_server_without_range_sends_everything_again(loopback, folder):
    loopback.ignores_range = True
    folder.mkdir(parents=True)
    (folder / "model.safetensors.part").write_bytes(b"old bytes")
    assert main(["models", "pull", REPO, "--yes"]) == 0
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("kept", [b"y" * 300_000, b"y" * 400_000], ids=["as long", "longer"])
def test_a_part_of_something_else_is_not_kept(loopback, folder, kept, capsys):
    folder.mkdir(parents=True)
    (folder / "model.safetensors.part").write_bytes(kept)
    status = main(["models", "pull", REPO, "--yes"])
    if len(kept) == 300_000:
        assert status == 1
        assert "is not what was published" in capsys.readouterr().err
        assert main(["models", "pull", REPO, "--yes"]) == 0
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_corrupted_file_is_refused_and_removed(loopback, folder, capsys, name):
    loopback.corrupt = {name}
    assert main(["models", "pull", REPO, "--yes"]) == 1
    assert f"{name} is not what was published: its hash is" in capsys.readouterr().err
    assert not {name, name + ".part", "rsground.json"} & names_in(folder)
    with pytest.raises(WeightsMissing, match="rsground models pull"):
        locate(REPO, marker="config.json", variable="X")
    loopback.corrupt = set()
    assert main(["models", "pull", REPO, "--yes"]) == 0


def test_a_line_that_stays_dead_is_given_up_and_what_came_is_kept(loopback, folder, capsys):
    loopback.cuts, loopback.cut_after = 1000, 0
    folder.mkdir(parents=True)
    (folder / "model.safetensors.part").write_bytes(FILES["model.safetensors"][:50_000])
    assert main(["models", "pull", REPO, "--yes"]) == 1
    assert "broke off at 50 kB" in capsys.readouterr().err
    assert (folder / "model.safetensors.part").stat().st_size == 50_000


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "make a token"),
        (403, "accept its licence"),
        (404, "no such repository"),
        (400, "answered 400"),
        (503, "Try again later"),
    ],
)
def test_a_refusal_says_what_to_do(loopback, status, says, capsys):
    loopback.status = status
    assert main(["models", "pull", REPO, "--yes"]) == 1
    assert says in capsys.readouterr().err


def test_a_gated_repository_opens_to_a_token_that_only_the_hub_sees(loopback, folder, monkeypatch, capsys):
    loopback.token, loopback.elsewhere = "hf_secret", True
    assert main(["models", "pull", REPO, "--yes"]) == 1
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    loopback.asked.clear()
    assert main(["models", "pull", REPO, "--yes"]) == 0
    assert "must be accepted on its page" in capsys.readouterr().out
    elsewhere = [token for path, _, token in loopback.asked if path.startswith("/cdn/")]
    assert elsewhere == [None]
    assert {token for path, _, token in loopback.asked if not path.startswith("/cdn/")} == {"Bearer hf_secret"}


def test_no_hub_at_all_is_told(monkeypatch, capsys):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert main(["models", "pull", REPO, "--yes"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    assert main(["models", "pull", REPO, "--yes"]) == 1
    assert "expected an address of http" in capsys.readouterr().err
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["models", "pull", REPO, "--yes"]) == 1
    assert "HF_HUB_OFFLINE=1" in capsys.readouterr().err


def test_something_else_than_a_hub_is_told(loopback, monkeypatch, capsys):
    monkeypatch.setattr(LoopbackHub, "listing", lambda self: b"<html>")
    assert main(["models", "pull", REPO, "--yes"]) == 1
    assert "did not answer as a hub does" in capsys.readouterr().err


def test_a_full_disk_is_told_before_anything_is_written(loopback, folder, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    assert main(["models", "pull", REPO, "--yes"]) == 1
    assert "300 kB are needed, 1 kB are free" in capsys.readouterr().err
    assert names_in(folder) == set()


def test_a_branch_that_moved_is_not_taken_in_silence(loopback, folder, capsys):
    main(["models", "pull", REPO, "--yes"])
    loopback.commit = "f" * 40
    assert main(["models", "pull", REPO, "--yes"]) == 2
    assert "Add --update" in capsys.readouterr().err
    assert main(["models", "pull", REPO, "--yes", "--update"]) == 0
    assert (folder.parent / ("f" * 40) / "rsground.json").is_file()


@pytest.mark.parametrize("name", ["a\\..\\evil.json", "c:evil.json", "rsground.json"])
def test_a_name_that_would_leave_its_folder_stops_the_pull(loopback, folder, name, capsys):
    loopback.extra_files = ({"rfilename": name, "size": 3, "blobId": "0" * 40},)
    assert main(["models", "pull", REPO, "--yes"]) == 1
    assert "outside its folder" in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../../evil.json", "/etc/evil.json"])
def test_files_of_other_folders_are_not_wanted(loopback, folder, name):
    loopback.extra_files = ({"rfilename": name, "size": 3, "blobId": "0" * 40},)
    assert main(["models", "pull", REPO, "--yes"]) == 0
    assert not any("evil" in path for path, *_ in loopback.asked)


def test_a_repository_without_safe_weights_is_told(loopback, capsys):
    del loopback.files["model.safetensors"]
    assert main(["models", "pull", REPO, "--yes"]) == 2
    assert "safetensors" in capsys.readouterr().err


def test_verify_reads_every_byte(loopback, folder, capsys):
    main(["models", "pull", REPO, "--yes"])
    assert main(["models", "verify", REPO]) == 0
    weights = folder / "model.safetensors"
    weights.write_bytes(b"!" + weights.read_bytes()[1:])
    assert main(["models", "verify", REPO]) == 1
    assert "model.safetensors are not what was published" in capsys.readouterr().err
    assert main(["models", "pull", REPO, "--yes"]) == 0
    assert weights.read_bytes() == FILES["model.safetensors"]


def test_remove_removes_all_of_it(loopback, folder, capsys):
    main(["models", "pull", REPO, "--yes"])
    assert main(["models", "remove", REPO]) == 1
    assert folder.is_dir()
    assert main(["models", "remove", REPO, "--yes"]) == 0
    assert not folder.parent.exists()
    assert main(["models", "remove", REPO, "--yes"]) == 1
    assert "is not in" in capsys.readouterr().err


def test_single_files_are_verified_by_their_published_hash(loopback, tmp_path, monkeypatch, capsys):
    import hashlib

    content = FILES["model.safetensors"]
    loopback.files = {"sam_vit_t_000000.pth": content}
    single = Weights(
        "sam_vit_t_000000.pth", "", "segmenter", ("zeroov",), len(content), "apache-2.0",
        url=f"{loopback.endpoint}/{REPO}/resolve/{COMMIT}/sam_vit_t_000000.pth",
        sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "CATALOGUE", (single,))
    monkeypatch.setattr(catalogue.chosen, "__defaults__", ((single,),))
    loopback.cuts, loopback.cut_after = 1, 1000
    assert main(["models", "pull", "sam_vit_t_000000.pth", "--yes"]) == 0
    path = tmp_path / "models" / "sam_vit_t_000000.pth"
    assert path.read_bytes() == content
    assert pulling.state_of(single) == "pulled"
    # All came, but the program was killed before it was put in place.
    path.rename(path.with_name(path.name + ".part"))
    assert pulling.state_of(single) == "partly pulled"
    assert main(["models", "pull", "sam_vit_t_000000.pth", "--yes"]) == 0
    assert main(["models", "verify", "sam_vit_t_000000.pth"]) == 0
    path.write_bytes(b"other")
    assert main(["models", "verify", "sam_vit_t_000000.pth"]) == 1
    loopback.corrupt = {"sam_vit_t_000000.pth"}
    assert main(["models", "pull", "sam_vit_t_000000.pth", "--yes"]) == 1
    assert not path.exists()


def test_a_listed_repository_is_pulled_at_its_pinned_commit(loopback, monkeypatch, capsys):
    weights = replace(CATALOGUE[0], repo=REPO, revision=COMMIT)
    monkeypatch.setattr(catalogue.chosen, "__defaults__", ((weights,),))
    assert main(["models", "pull", "zeroov", "--yes"]) == 0
    assert f"/api/models/{REPO}/revision/{COMMIT}?blobs=true" in loopback.asked[0][0]
    assert pulling.state_of(weights) == "pulled"


# -- the list and the store ----------------------------------------------------------------------------


def test_the_list_tells_state_size_and_licence(capsys):
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    line = next(row for row in out.splitlines() if "Qwen2.5-VL-3B" in row)
    assert "7.5 GB" in line
    assert "missing" in line
    assert "no commercial use" in line
    assert main(["models", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["weights"]
    assert {"zeroov"} == {e for row in rows for e in row["engines"]}
    assert all(len(row["revision"]) in (40, 64) for row in rows)


def test_every_pinned_revision_is_a_commit_or_a_hash():
    for weights in CATALOGUE:
        digest = weights.sha256 or weights.revision
        assert set(digest) <= set("0123456789abcdef")
        assert bool(weights.url) == bool(weights.sha256)
    assert pinned("Qwen/Qwen2.5-VL-7B-Instruct") == CATALOGUE[0].revision
    assert pinned("nobody/knows") is None


def test_names_mean_ids_engines_or_the_hubs_other_repositories():
    assert {w.role for w in chosen("zeroov")} == {"vision-language model", "diffusion model"}
    assert chosen("facebook/sam-vit-huge")[0].revision.startswith("87aecf0d")
    assert chosen("nobody/knows")[0].revision == "main"
    with pytest.raises(InvalidRequest, match="an engine: zeroov"):
        chosen("what is this")


def test_copies_in_other_precisions_are_not_wanted():
    diffusion = next(w for w in CATALOGUE if w.role == "diffusion model")
    assert diffusion.wants("unet/diffusion_pytorch_model.safetensors")
    assert diffusion.wants("tokenizer/vocab.json")
    for name in ("unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin",
                 "safety_checker/model.safetensors", "sd-v1-4.ckpt"):  # fmt: skip
        assert not diffusion.wants(name)


def test_the_hubs_own_cache_is_used_too(tmp_path):
    snapshot = tmp_path / "hf" / "hub" / "models--someone--tiny" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert locate(REPO, marker="config.json", variable="X", revision=COMMIT) == snapshot
    assert locate(REPO, marker="config.json", variable="X") == snapshot
    with pytest.raises(WeightsMissing, match="at revision ffff"):
        locate(REPO, marker="config.json", variable="X", revision="f" * 40)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(COMMIT)
    assert locate(REPO, marker="config.json", variable="X", revision="main") == snapshot


def test_a_folder_that_is_named_wins_and_must_hold_a_model(tmp_path):
    (tmp_path / "own").mkdir()
    with pytest.raises(WeightsMissing, match=r"expected config\.json in it\. Set RSGROUND_VLM"):
        locate(str(tmp_path / "own"), marker="config.json", variable="RSGROUND_VLM")
    (tmp_path / "own" / "config.json").write_text("{}")
    assert locate(str(tmp_path / "own"), marker="config.json", variable="RSGROUND_VLM") == tmp_path / "own"
    with pytest.raises(WeightsMissing, match="There is no folder"):
        locate(str(tmp_path / "own" / "nowhere"), marker="config.json", variable="RSGROUND_VLM")


def test_a_damaged_lock_is_told(folder):
    folder.mkdir(parents=True)
    (folder / "rsground.json").write_text("{")
    with pytest.raises(WeightsDamaged, match="pull again"):
        locate(REPO, marker="config.json", variable="X")


def test_a_disk_that_fills_up_on_the_way_is_told(loopback, tmp_path, monkeypatch):
    def full(self, *args):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Hub, "_continue", full)
    from inference_server.errors import DiskFull

    with pytest.raises(DiskFull, match="RSGROUND_MODELS"):
        Hub().fetch(loopback.endpoint, StoredFile("a", 5, ""), tmp_path / "a")


def test_a_failing_server_is_asked_again_with_pauses(loopback, tmp_path):
    waits = []
    loopback.status = 503
    with pytest.raises(HubUnreachable, match="the server answered 503"):
        Hub(wait=waits.append).fetch(
            f"{loopback.endpoint}/{REPO}/resolve/{COMMIT}/config.json", StoredFile("a", 5, ""), tmp_path / "a"
        )
    assert waits == [1.0, 2.0, 3.0, 4.0]


def test_sizes_are_for_people():
    assert [size_text(n) for n in (0, 999, 812_000, 16_600_000_000)] == ["0 B", "999 B", "812 kB", "16.6 GB"]
    assert store.store_folder().name == "models"
    assert hub.MARGIN_BYTES > 0
