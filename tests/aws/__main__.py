"""`python -m tests.aws`: the AWS server by hand."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from dataclasses import fields

from .arns import DEFAULT_REGION
from .cloud import Cloud
from .server import Server
from .settings import DestinationReset, Settings
from .world import Population, World

_ON_OR_OFF = argparse.BooleanOptionalAction
ENDPOINT_LINE = "export AWS_ENDPOINT_URL="


def _arguments(argv: list[str] | None = None) -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m tests.aws", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--pace", type=float, default=defaults.pace, help="seconds that a transition takes")
    parser.add_argument("--quota", type=float, default=defaults.quota, help="requests a second; 0: no limit")
    parser.add_argument("--tagging-quota", type=float, default=defaults.tagging_quota)
    parser.add_argument("--tagging-lag", type=float, default=defaults.tagging_lag, help="seconds")
    parser.add_argument("--retry-after", default=None, help="header of throttled answers, seconds")
    parser.add_argument("--hold", action=_ON_OR_OFF, default=defaults.hold, help="no transition ends until released")
    parser.add_argument(
        "--empty-resets", action=_ON_OR_OFF, default=defaults.empty_resets, help="see tests/aws/README.md"
    )
    parser.add_argument("--tag-delay", type=float, default=defaults.tag_delay, help="see tests/aws/README.md")
    parser.add_argument(
        "--destination-reset",
        type=DestinationReset,
        choices=list(DestinationReset),
        default=defaults.destination_reset,
        help="which form removes an on-failure destination",
    )
    parser.add_argument(
        "--tags-supported", action=_ON_OR_OFF, default=defaults.tags_supported, help="whether mappings can have tags"
    )
    parser.add_argument(
        "--result-period",
        type=float,
        default=defaults.result_period,
        help="seconds until each result changes; 0: never",
    )
    parser.add_argument(
        "--world", type=Population, choices=list(Population), default=Population.ANY, help="what exists"
    )
    parser.add_argument("--verbose", action="store_true", help="print each request")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    return parser.parse_args(argv)


async def _run(arguments: argparse.Namespace) -> None:
    settings = Settings(**{entry.name: getattr(arguments, entry.name) for entry in fields(Settings)})
    server = Server(Cloud(settings, World(arguments.world)), log=_print_line if arguments.verbose else None)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if arguments.with_parent:
        # The parent holds the other end. The kernel closes it when the parent ends, in whatever way.
        loop.add_reader(sys.stdin, stopped.set)
    port = await server.start(arguments.host, arguments.port)
    print(f"{ENDPOINT_LINE}http://{arguments.host}:{port}")
    print("export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing")
    print(f"export AWS_DEFAULT_REGION={DEFAULT_REGION}", flush=True)
    if arguments.with_parent:
        sys.stdout = sys.stderr  # the parent reads no more lines, and a full pipe would block moto's prints
    await stopped.wait()
    await server.stop()


def _print_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    asyncio.run(_run(_arguments()))
