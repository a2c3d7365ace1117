"""`python -m tests.monitoring`, or `make dashboard`: draws docs/reference/dashboard.png from a Prometheus."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.errors import BenchError
from tests.bench.progress import say
from tests.bench.results import World
from tests.bench.stage import opened
from tests.demo import interrupts
from tests.monitoring.dashboard import ALL, load, panels
from tests.monitoring.picture import EmptyPanelError, Window, draw
from tests.monitoring.prometheus import Prometheus
from tests.monitoring.story import play

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "dashboard.png"
#: Seconds between two scrapes.
INTERVAL = 2.0
#: How many points a line has at most.
POINTS = 400


def main(argv: Sequence[str] | None = None) -> int:
    """Play the story and draw what was to be seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.monitoring", description=__doc__)
    parser.add_argument("--mappings", type=int, default=600, metavar="N", help="default: 600")
    parser.add_argument(
        "--to", type=Path, default=PICTURE, metavar="FILE", help="default: docs/reference/dashboard.png"
    )
    arguments = parser.parse_args(argv)
    interrupts.listen()
    try:
        _draw(arguments.mappings, arguments.to)
    except KeyboardInterrupt:
        return 130
    except (BenchError, EmptyPanelError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _draw(mappings: int, file: Path) -> None:
    world = World(name="dashboard", mappings=mappings)
    with (
        TemporaryDirectory(prefix="esm-operator-dashboard-") as logs,
        Prometheus(interval=INTERVAL) as prometheus,
        opened(world, Path(logs), lambda: None, ()) as stage,
    ):
        start = time.time()
        play(stage, mappings, prometheus)
        end = time.time()
        step = max(INTERVAL, round((end - start) / POINTS, 1))
        shown = panels(load(), ALL, interval=INTERVAL, span=end - start)
        draw(shown, prometheus, Window(start, end, step), file)
    say(f"{file} is drawn: {end - start:.0f} s with {mappings:,} mappings.")


if __name__ == "__main__":
    sys.exit(main())
