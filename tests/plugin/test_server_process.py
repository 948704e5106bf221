"""The real server as a child: started, watched, started anew, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rsground_plugin.core.child_process import child_environment
from rsground_plugin.core.errors import (
    ProtocolMismatch,
    QueryCancelled,
    RSGroundError,
    ServerGone,
    ServerProcessError,
    ServerRefused,
)
from rsground_plugin.core.server_process import Launch, LocalServer, RunningServer

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = Path(os.environ.get("RSGROUND_PYTHON", ROOT / ".venv" / "bin" / "python"))

pytestmark = pytest.mark.skipif(not INTERPRETER.is_file(), reason=f"no server environment at {INTERPRETER}")


def launch() -> Launch:
    return Launch(INTERPRETER, ROOT, ("--parent-stdin", "--parent-pid", str(os.getpid())))


def fake(folder: Path, code: str) -> Launch:
    """A server package that does what the code says."""
    package = folder / "inference_server"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(textwrap.dedent(code))
    return Launch(Path(sys.executable), folder)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie is dead; its parent only has not asked yet.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_until_dead(pid: int, seconds: float) -> float:
    """Seconds until the process was gone; fails when it is not in time."""
    started = time.monotonic()
    while is_alive(pid):
        assert time.monotonic() - started < seconds, f"process {pid} is still there after {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.fixture
def server() -> Iterator[LocalServer]:
    server = LocalServer(launch)
    yield server
    server.stop(wait_s=10)


def test_it_starts_answers_and_stops(server: LocalServer) -> None:
    client = server.ensure()
    assert client.health().status == "ok"
    assert any(engine.is_default for engine in client.engines())
    assert server.ensure() is client
    pid = server.pid
    assert pid is not None
    server.stop(wait_s=10)
    assert not is_alive(pid)
    with pytest.raises(ServerGone):
        client.health()


def test_a_killed_server_is_started_anew(server: LocalServer) -> None:
    server.ensure()
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until_dead(first, 2)
    assert server.ensure().health().status == "ok"
    assert server.pid != first


def test_many_threads_get_one_server(server: LocalServer) -> None:
    clients: list[Any] = []
    threads = [threading.Thread(target=lambda: clients.append(server.ensure())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(clients) == 8
    assert len({client.port for client in clients}) == 1


def test_two_windows_have_servers_of_their_own(server: LocalServer) -> None:
    other = LocalServer(launch)
    try:
        mine, theirs = server.ensure(), other.ensure()
        assert mine.port != theirs.port
        # One window's token opens nothing at the other's server.
        crossed = RunningServer(f"http://127.0.0.1:{theirs.port}", mine._token)
        with pytest.raises(ServerRefused) as caught:
            crossed.ensure().engines()
        assert caught.value.code == "unauthorized"
    finally:
        other.stop(wait_s=10)
    assert server.ensure().health().status == "ok"


def test_a_running_server_is_connected_to(server: LocalServer) -> None:
    client = server.ensure()
    connected = RunningServer(f"127.0.0.1:{client.port}", client._token).ensure()
    assert connected.engines() == client.engines()


@pytest.mark.parametrize("url", ["https://127.0.0.1:80", "http://example.org:80", "127.0.0.1", "http://127.0.0.1:x"])
def test_an_address_that_is_not_loopback_is_refused(url: str) -> None:
    with pytest.raises(ServerProcessError, match=r"127\.0\.0\.1:8765"):
        RunningServer(url, "t")


def test_a_server_that_dies_while_starting_leaves_its_last_words(tmp_path: Path) -> None:
    server = LocalServer(lambda: fake(tmp_path, "import sys; sys.exit('numpy is broken here')"))
    with pytest.raises(ServerProcessError, match="set it up anew") as caught:
        server.ensure()
    assert "numpy is broken here" in caught.value.details


def test_something_else_on_stdout_is_a_mismatch(tmp_path: Path) -> None:
    server = LocalServer(lambda: fake(tmp_path, "print('hello', flush=True); import time; time.sleep(60)"))
    with pytest.raises(ProtocolMismatch):
        server.ensure()
    assert server.pid is None or not is_alive(server.pid)


def test_another_protocol_is_a_mismatch(tmp_path: Path) -> None:
    hello = '{"host": "127.0.0.1", "port": 1, "pid": 1, "version": "9", "protocol": 999}'
    server = LocalServer(lambda: fake(tmp_path, f"print('{hello}', flush=True); import time; time.sleep(60)"))
    with pytest.raises(ProtocolMismatch, match="999"):
        server.ensure()


def test_a_missing_interpreter_is_named() -> None:
    server = LocalServer(lambda: Launch(Path("/nowhere/python"), ROOT))
    with pytest.raises(ServerProcessError, match="/nowhere/python"):
        server.ensure()


def test_waiting_for_a_slow_start_can_be_cancelled(tmp_path: Path) -> None:
    launch_fake = fake(tmp_path, "import time; time.sleep(60)")
    server = LocalServer(lambda: launch_fake)
    cancel_at = time.monotonic() + 0.3
    with pytest.raises(QueryCancelled):
        server.ensure(lambda: time.monotonic() > cancel_at)
    assert time.monotonic() < cancel_at + 0.2
    server.stop(wait_s=10)


def test_the_child_never_blocks_on_a_chatty_stderr(tmp_path: Path) -> None:
    code = """
    import sys
    sys.stderr.write("x" * 300 + "\\n")
    for i in range(20000):
        sys.stderr.write(f"line {i} {'x' * 80}\\n")
    sys.exit("the end")
    """
    server = LocalServer(lambda: fake(tmp_path, code))
    with pytest.raises(RSGroundError) as caught:
        server.ensure()
    assert "the end" in caught.value.details


def test_the_environment_of_the_child_is_clean() -> None:
    dirty = {
        "PATH": "/bin",
        "HOME": "/root",
        "PYTHONHOME": "/qgis",
        "PYTHONPATH": "/qgis/python",
        "PROJ_LIB": "/qgis/proj",
        "GDAL_DATA": "/qgis/gdal",
        "LD_LIBRARY_PATH": "/qgis/lib",
        "QT_PLUGIN_PATH": "/qgis/qt",
        "HTTPS_PROXY": "http://proxy:1",
    }
    clean = child_environment(dirty, python_path=Path("/plugin/server"))
    assert clean["PYTHONPATH"] == "/plugin/server"
    assert clean["PYTHONSAFEPATH"] == "1"
    assert {k: clean.get(k) for k in ("PATH", "HOME", "HTTPS_PROXY")} == {
        "PATH": "/bin",
        "HOME": "/root",
        "HTTPS_PROXY": "http://proxy:1",
    }
    assert not {"PYTHONHOME", "PROJ_LIB", "GDAL_DATA", "LD_LIBRARY_PATH", "QT_PLUGIN_PATH"} & set(clean)


def test_the_token_is_never_on_the_command_line(server: LocalServer) -> None:
    token = server.ensure()._token
    assert token not in Path(f"/proc/{server.pid}/cmdline").read_text()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_a_killed_qgis_leaves_no_server_behind(tmp_path: Path, sign: int) -> None:
    script = tmp_path / "small_qgis.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, sys
            sys.path.insert(0, {str(ROOT)!r})
            from pathlib import Path
            from qgis.core import QgsApplication
            from rsground_plugin.core.server_process import Launch, LocalServer
            app = QgsApplication([], True)
            app.initQgis()
            arguments = ("--parent-stdin", "--parent-pid", str(os.getpid()))
            server = LocalServer(lambda: Launch(Path({str(INTERPRETER)!r}), Path({str(ROOT)!r}), arguments))
            server.ensure()
            print(server.pid, flush=True)
            app.exec()
            """
        )
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    qgis = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment)
    try:
        server_pid = int(qgis.stdout.readline())
        assert is_alive(server_pid)
        qgis.send_signal(sign)
        qgis.wait(10)
        wait_until_dead(server_pid, 3.0)
    finally:
        qgis.kill()
        qgis.wait()
        qgis.stdout.close()
