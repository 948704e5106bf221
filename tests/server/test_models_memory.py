"""Where a model runs, what is tried when memory runs out, and how faults of loading are told."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from inference_server.errors import EngineUnavailable, OutOfMemory, PackageMissing, WeightsDamaged, WeightsMissing
from inference_server.models.hardware import REQUIREMENTS, Hardware, hardware, require
from inference_server.models.loading import loading
from inference_server.models.memory import Ladder, Rung, is_out_of_memory, rungs
from inference_server.models.zeroov.weights import PACKAGES

GPU = Hardware("cuda", "fp32", half="bf16")
CPU = Hardware("cpu", "fp32")


@pytest.fixture
def with_accelerate(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True if name == "accelerate" else find(name))


@pytest.fixture
def without_accelerate(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "accelerate" else find(name))


def steps(ladder: tuple[Rung, ...]) -> list[tuple[str, str, bool, int]]:
    return [(r.hardware.device, r.hardware.dtype, r.hardware.offload, r.shrink) for r in ladder]


# -- the ladder ----------------------------------------------------------------------------------------


def test_the_rungs_in_their_order(with_accelerate):
    assert steps(rungs(GPU, side_px=2048)) == [
        ("cuda", "fp32", False, 1),
        ("cuda", "fp32", False, 2),
        ("cuda", "fp32", False, 4),
        ("cuda", "bf16", False, 4),
        ("cuda", "bf16", True, 4),
        ("cpu", "fp32", False, 1),
    ]


def test_what_cannot_help_is_no_rung(without_accelerate):
    assert steps(rungs(GPU)) == [("cuda", "fp32", False, 1), ("cuda", "bf16", False, 1), ("cpu", "fp32", False, 1)]
    assert steps(rungs(replace(GPU, dtype="bf16"))) == [("cuda", "bf16", False, 1), ("cpu", "fp32", False, 1)]
    assert steps(rungs(CPU, side_px=600)) == [("cpu", "fp32", False, 1)]
    assert steps(rungs(CPU, side_px=1000)) == [("cpu", "fp32", False, 1), ("cpu", "fp32", False, 2)]


class Machine:
    """Does work that fits where ``fits`` says, else runs out of memory in one of the ways there are."""

    def __init__(self, fits, error=None):
        self.fits = fits
        self.error = RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB") if error is None else error
        self.tried = []
        self.released = 0

    def work(self, rung):
        self.tried.append(rung)
        if not self.fits(rung):
            raise self.error
        return rung.hardware.device

    def release(self):
        self.released += 1


def test_the_first_rung_that_holds_gives_the_result_and_is_kept(without_accelerate):
    machine = Machine(lambda rung: rung.hardware.dtype == "bf16")
    ladder = Ladder(GPU, machine.release)
    assert ladder.run(machine.work) == "cuda"
    assert len(machine.tried) == 2
    assert machine.released == 1
    assert ladder.rung.hardware.dtype == "bf16"
    assert ladder.rung.sentence == "Memory was short: this ran on cuda in bf16."
    ladder.run(machine.work)
    assert len(machine.tried) == 3


def test_a_smaller_tile_comes_before_everything_else():
    machine = Machine(lambda rung: rung.shrink >= 2)
    ladder = Ladder(GPU)
    ladder.run(machine.work, side_px=1024)
    assert [r.shrink for r in machine.tried] == [1, 2]
    assert "1/2 of its resolution" in ladder.rung.sentence


def test_the_cpu_is_last_and_gets_the_whole_tile(without_accelerate):
    machine = Machine(lambda rung: rung.hardware.device == "cpu")
    assert Ladder(GPU).run(machine.work, side_px=1024) == "cpu"
    assert machine.tried[-1].shrink == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemory("too large"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:113] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
        type("OutOfMemoryError", (RuntimeError,), {})("HIP"),
    ],
    ids=["python", "ours", "cpu", "cublas", "mps", "torch"],
)
def test_nothing_holds_and_it_says_what_to_choose(error, without_accelerate):
    assert is_out_of_memory(error)
    machine = Machine(lambda rung: False, error)
    ladder = Ladder(GPU, machine.release)
    with pytest.raises(OutOfMemory, match=r"even on the CPU.*Choose a smaller area.*smaller weights"):
        ladder.run(machine.work)
    assert machine.released == len(machine.tried) == 3
    # The next tile may be smaller: everything is tried again.
    machine.fits = lambda rung: True
    assert ladder.run(machine.work) == "cuda"


def test_other_faults_are_not_taken_for_too_little_memory():
    machine = Machine(lambda rung: False, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        Ladder(GPU).run(machine.work)
    assert len(machine.tried) == 1
    assert not is_out_of_memory(ValueError("out of memory"))


# -- hardware ------------------------------------------------------------------------------------------


def test_the_environment_names_the_hardware():
    pytest.importorskip("torch", reason="it knows the devices")
    assert hardware({"RSGROUND_DEVICE": "cpu"}) == Hardware("cpu", "fp32", half="bf16")
    assert hardware({"RSGROUND_DEVICE": "cpu", "RSGROUND_DTYPE": "bf16"}).dtype == "bf16"
    assert hardware({"RSGROUND_DEVICE": "cpu", "RSGROUND_OFFLOAD": "1"}).offload


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RSGROUND_DEVICE", "gpu", "expected auto, cpu, cuda"),
        ("RSGROUND_DEVICE", "cuda:x", "expected auto, cpu, cuda"),
        ("RSGROUND_DEVICE", "cuda:99", "there is no such device here"),
        ("RSGROUND_DTYPE", "int8", "expected auto or one of bf16, fp16, fp32, got 'int8'"),
        ("RSGROUND_OFFLOAD", "yes", "expected 0 or 1"),
        ("RSGROUND_4BIT", "1", "needs an NVIDIA GPU"),
    ],
)
def test_a_value_that_cannot_be_is_told(name, value, says):
    pytest.importorskip("torch", reason="it knows the devices")
    with pytest.raises(EngineUnavailable, match=says):
        hardware({"RSGROUND_DEVICE": "cpu", name: value})


def test_what_the_libraries_are_told():
    torch = pytest.importorskip("torch", reason="its types")
    plain = Hardware("cuda", "fp16").from_pretrained_arguments()
    assert plain == {"dtype": torch.float16, "local_files_only": True}
    if importlib.util.find_spec("accelerate"):
        assert Hardware("cuda", "fp16", offload=True).from_pretrained_arguments()["device_map"] == "auto"


def test_missing_packages_are_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PackageMissing, match=r"not installed here: bitsandbytes, accelerate\.") as caught:
        require("bitsandbytes", "accelerate", what="RSGROUND_4BIT=1")
    assert str(caught.value).endswith(f'uv pip install --python "{sys.executable}" "bitsandbytes" "accelerate>=1"')
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name == "pip" else None)
    with pytest.raises(PackageMissing) as caught:
        require("segment_anything", what="An original checkpoint")
    assert str(caught.value).endswith(f'"{sys.executable}" -m pip install "segment-anything"')


def test_what_is_to_be_installed_is_what_the_extra_says():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extra = re.search(r"^models = \[(.*?)\]", text, re.MULTILINE).group(1)
    assert re.findall(r'"([^"]+)"', extra) == [REQUIREMENTS[name] for name in PACKAGES]


# -- loading -------------------------------------------------------------------------------------------


def test_faults_of_loading_are_told_by_their_remedy():
    def fails(error):
        with loading("/weights"):
            raise error

    with pytest.raises(WeightsDamaged, match=r"/weights cannot be loaded: OSError.*pull them again"):
        fails(OSError("no file named model.safetensors"))
    with pytest.raises(WeightsDamaged, match="SafetensorError"):
        fails(type("SafetensorError", (Exception,), {})("incomplete metadata"))
    with pytest.raises(OutOfMemory, match="RSGROUND_4BIT=1"):
        fails(RuntimeError("CUDA out of memory"))
    with pytest.raises(WeightsMissing, match="as it was"):
        fails(WeightsMissing("as it was"))
