"""``rsground batch`` with an engine that does two tiles, then waits to be stopped: python batch_cli_child.py ARGS."""

import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from fake_engine import FakeEngine, registry  # noqa: E402

from inference_server.__main__ import main  # noqa: E402
from inference_server.batch.run import Batch  # noqa: E402


class WaitingEngine(FakeEngine):
    def encode(self, tile, progress):
        if self.encoded == 2:
            # In short naps: a signal that comes just before a nap is seen after it.
            for _ in range(1200):
                time.sleep(0.1)
        return super().encode(tile, progress)


if __name__ == "__main__":
    # A test run in a shell's background would hand on that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    engines, prepare = registry(WaitingEngine()), Batch.prepare
    Batch.prepare = lambda request, **options: prepare(request, lambda: engines, **options)
    sys.exit(main(["batch", *sys.argv[1:]]))
