"""The server's process: its announcement, its life lines, its log. Real processes, the real default engine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from fake_engine import patches, tile_bytes
from rasterio.io import MemoryFile

from inference_server.evaluation.scenes import generate
from inference_server.geometry import iou_hbb
from inference_server.version import VERSION
from rsground_plugin.protocol import PROTOCOL_VERSION, TOKEN_VARIABLE, Hello, ResultEvent, event_from_line

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "d41d8cd98f00b204"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="process signals as Linux has them")


def command(*arguments):
    return [sys.executable, "-m", "inference_server", "serve", "--port", "0", *arguments]


def environment(**extra):
    return {**os.environ, "PYTHONPATH": str(ROOT), TOKEN_VARIABLE: TOKEN, **extra}


class Child:
    """A server process started by the test."""

    def __init__(self, *arguments, stdin=subprocess.PIPE, **extra):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command(*arguments),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment(**extra),
        )
        self.hello = Hello.from_dict(json.loads(self.process.stdout.readline()))
        self.url = f"http://127.0.0.1:{self.hello.port}"

    def get(self, path, **options):
        return httpx.get(self.url + path, **{"headers": AUTH, "timeout": 20, **options})

    def ended_within(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def start():
    with contextlib.ExitStack() as stack:

        def run(*arguments, **options):
            child = Child(*arguments, **options)
            stack.callback(child.close)
            return child

        yield run


def test_it_announces_itself_in_one_line_and_is_ready_in_two_seconds(start):
    took = []
    for _ in range(2):  # the first start may have to read the libraries from a cold disk
        child = start()
        assert child.get("/v1/health").json()["status"] == "ok"
        took.append(time.monotonic() - child.started)
    assert child.hello == Hello("127.0.0.1", child.hello.port, child.process.pid, VERSION, PROTOCOL_VERSION)
    # The bound is that of a machine of its own; other work on the processor may double the time.
    assert min(took) <= 2.0 * max(1.0, os.getloadavg()[0] / os.cpu_count())
    child.process.stdin.close()
    assert child.ended_within(3)
    assert child.process.stdout.read() == b"", "nothing but the announcement on stdout"


def test_the_version_is_that_of_the_metadata():
    assert f"version={VERSION}\n" in (ROOT / "metadata.txt").read_text(encoding="utf-8")


def test_it_leaves_when_stdin_closes(start):
    child = start()
    child.process.stdin.close()
    assert child.ended_within(3)
    assert child.process.returncode == 0


def test_it_stays_without_a_pipe_on_stdin_and_leaves_when_asked(start):
    child = start(stdin=subprocess.DEVNULL)
    time.sleep(0.7)
    assert child.process.poll() is None
    assert httpx.post(child.url + "/v1/shutdown", headers=AUTH).status_code == 200
    assert child.ended_within(3)
    assert child.process.returncode == 0


@linux_only
@pytest.mark.parametrize("is_direct", [True, False], ids=["parent", "grandparent"])
def test_it_leaves_when_its_parent_is_killed(is_direct):
    """The server of a killed parent; stdin stays open in another process, so that only the parent's pid counts."""
    script = textwrap.dedent(
        """
        import os, subprocess, sys, time
        pid, command = os.getpid(), sys.argv[1:]
        command += ["--parent-pid", str(pid)]
        if os.environ.get("BETWEEN"):
            command = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *command]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stdout)
        time.sleep(60)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, *command()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(BETWEEN="" if is_direct else "1"),
    )
    try:
        hello = Hello.from_dict(json.loads(parent.stdout.readline()))
        server = psutil.Process(hello.pid)
        assert server.is_running()
        parent.send_signal(signal.SIGKILL)  # not reaped yet: a zombie counts as gone
        psutil.wait_procs([server], timeout=3)
        assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    finally:
        parent.kill()
        parent.wait(5)
        parent.stdout.close()


@linux_only
def test_it_leaves_at_once_when_the_parent_was_gone_before(start):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    process = subprocess.Popen(
        command("--parent-pid", str(gone.pid)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, cwd=ROOT, env=environment(),
    )  # fmt: skip
    _, said = process.communicate(timeout=15)
    assert f"the parent process {gone.pid} has ended" in said.decode()


def ground(child, words="the white building", size=256, timeout=60):
    pixels = np.random.default_rng(0).integers(60, 90, (3, size, size)).astype(np.uint8)
    pixels[:, 40:90, 60:140] = 240
    files = {"request": (None, json.dumps({"expression": words})), "tile": ("tile.tif", tile_bytes(pixels))}
    return httpx.post(child.url + "/v1/ground", headers=AUTH, files=files, timeout=timeout)


def test_the_default_engine_answers(start):
    child = start()
    scene = generate(29, size_px=(512, 512), gsd_m=0.3, theme="residential", expressions=0)
    boxes = [o.hbb for o in scene.objects if o.category == "pool"]
    pools = [(b.x_min, b.y_min, b.x_max, b.y_max) for b in boxes]
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=512, height=512, count=3, dtype="uint8", crs=scene.crs, transform=scene.affine
        ) as dataset:
            dataset.write(scene.rgb)
        tile = memory.read()
    files = {"request": (None, json.dumps({"expression": "swimming pool"})), "tile": ("tile.tif", tile)}
    answer = httpx.post(child.url + "/v1/ground", headers=AUTH, files=files, timeout=60)
    last = event_from_line(answer.content.splitlines()[-1])
    assert isinstance(last, ResultEvent)
    assert last.result.engine == "geobia"
    found = []
    for detection in last.result.detections:
        x, y = zip(*(~scene.affine * corner for corner in detection.hbb), strict=True)
        found.append((min(x), min(y), max(x), max(y)))
    # Most of the pools, where they are.
    overlap = iou_hbb(np.array(pools), np.array(found))
    assert (overlap.max(axis=1) > 0.5).sum() >= len(pools) - 2


@contextlib.contextmanager
def long_query(child):
    """The lines of a query that takes seconds, once it has begun."""
    files = {
        "request": (None, '{"expression": "the road"}'),
        "tile": ("tile.tif", tile_bytes(patches((1, 1, 9, 9), height=1500, width=1500))),
    }
    with httpx.stream("POST", child.url + "/v1/ground", headers=AUTH, files=files, timeout=20) as response:
        lines = response.iter_lines()
        next(lines)
        yield lines


def test_a_killed_server_is_a_broken_connection(start):
    child = start()
    with long_query(child) as lines:
        child.process.kill()
        with pytest.raises(httpx.TransportError):
            list(lines)


def test_it_leaves_in_the_middle_of_a_query(start):
    child = start()
    with long_query(child):
        child.process.stdin.close()
        assert child.ended_within(3)


def test_two_servers_run_side_by_side(start):
    one, other = start(), start()
    assert one.hello.port != other.hello.port
    assert one.get("/v1/health").status_code == other.get("/v1/health").status_code == 200
    one.process.kill()
    assert other.get("/v1/engines").status_code == 200


def test_the_log_is_written_and_never_holds_the_token(start, tmp_path):
    log = tmp_path / "logs" / "server.log"
    child = start("--log-file", str(log), "--log-level", "DEBUG")
    child.get("/v1/engines")
    ground(child, size=64)
    child.get("/v1/health", headers={"Host": f"{TOKEN}.example"})
    child.get(f"/v1/{TOKEN}")
    child.process.stdin.close()
    assert child.ended_within(3)
    text = log.read_text() + child.process.stderr.read().decode()
    assert "listens on 127.0.0.1" in text
    assert "stdin was closed" in text
    assert TOKEN not in text


def test_the_log_rotates(tmp_path):
    script = (
        "import logging; from pathlib import Path; from inference_server.logs import start_logging\n"
        f"start_logging(token='hush', log_file=Path({str(tmp_path / 'x.log')!r}))\n"
        "for i in range(30000): logging.info('a line that says hush, and a few words more to fill the file %d', i)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, stderr=subprocess.DEVNULL, env=environment())
    files = sorted(tmp_path.glob("x.log*"))
    assert 2 <= len(files) <= 4
    assert all(path.stat().st_size <= 1_000_100 for path in files)
    assert all("hush" not in path.read_text() for path in files)


@linux_only
def test_the_token_is_not_on_the_command_line(start):
    child = start()
    assert TOKEN not in " ".join(psutil.Process(child.process.pid).cmdline())


def test_the_token_may_come_on_stdin():
    process = subprocess.Popen(
        command("--token-stdin"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        cwd=ROOT, env=environment(**{TOKEN_VARIABLE: ""}),
    )  # fmt: skip
    process.stdin.write(b"from-stdin\n")
    process.stdin.flush()
    hello = Hello.from_dict(json.loads(process.stdout.readline()))
    url = f"http://127.0.0.1:{hello.port}/v1/engines"
    assert httpx.get(url, headers={"Authorization": "Bearer from-stdin"}).status_code == 200
    assert httpx.get(url, headers=AUTH).status_code == 401
    process.stdin.close()
    assert process.wait(3) == 0
    process.stdout.close()


def test_without_a_token_it_says_what_to_do():
    done = subprocess.run(
        command(), stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT,
        env=environment(**{TOKEN_VARIABLE: ""}), check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert TOKEN_VARIABLE in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_one_clear_line(start):
    child = start()
    done = subprocess.run(
        [sys.executable, "-m", "inference_server", "serve", "--port", str(child.hello.port)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr
