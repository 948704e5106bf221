"""A batch in a process of its own, to be killed: python batch_child.py RASTER OUTPUT."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

if __name__ == "__main__":
    from batch_scenes import make_slow_registry, run

    def tell(event):
        print(type(event).__name__, flush=True)

    run(sys.argv[1], ["white houses", "the houses left of the largest house"], sys.argv[2], make=make_slow_registry,
        on_event=tell)  # fmt: skip
