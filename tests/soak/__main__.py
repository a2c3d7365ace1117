"""``python -m tests.soak NAME...`` runs scenarios one after the other, each with fresh servers, and prints figures.

Without a name, it lists the scenarios.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests import role
from tests.aws import AwsServer
from tests.bed import Bed, install
from tests.bed.cluster import create_namespace
from tests.controlplane import ControlPlane
from tests.soak import scenarios

#: The scenarios with the numbers of the documentation.
SCENARIOS: Mapping[str, Callable[[Bed], Mapping[str, object]]] = {
    "aws-away": partial(scenarios.aws_away, resources=300, seconds=1800.0),
    "names-unresolved": partial(scenarios.names_unresolved, resources=300, seconds=180.0),
    "cycles": partial(scenarios.cycles, total=3000, together=100),
    "provider-configs": partial(scenarios.provider_configs, count=50, rounds=3),
    "terminated": partial(scenarios.terminated, resources=500),
    "slow-api-server": partial(scenarios.slow_api_server, resources=20, delay=5.0),
}
_NAMESPACE = "soak"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named scenarios. Returns 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(SCENARIOS)}")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the operator's logs")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.names) - SCENARIOS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if not arguments.names:
        print("\n".join(SCENARIOS))
    failed = False
    for name in arguments.names:
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="esm-operator-soak-") as folder, ExitStack() as exits:
                logs = (arguments.logs or Path(folder)) / name
                logs.mkdir(parents=True, exist_ok=True)
                figures = SCENARIOS[name](_bed(exits, logs))
        except AssertionError as error:
            print(f"{name} FAILED: {error}", file=sys.stderr)
            failed = True
            continue
        print(f"\n{name} ({time.monotonic() - began:,.0f} s)", flush=True)
        for what, value in figures.items():
            print(f"| {what} | {value} |", flush=True)
    return int(failed)


def _bed(exits: ExitStack, folder: Path) -> Bed:
    """A bed with a control plane and an AWS server of its own."""
    plane = exits.enter_context(ControlPlane())
    install(plane)
    aws = exits.enter_context(AwsServer())
    aws.warm_up()
    create_namespace(plane.client, _NAMESPACE)
    kubeconfig = plane.kubeconfig_for(role.NAME, role.NAME)
    bed = Bed(plane=plane, aws=aws, kubeconfig=kubeconfig, namespace=_NAMESPACE, folder=folder)
    bed.prints_logs = False
    return exits.enter_context(bed)


if __name__ == "__main__":
    sys.exit(main())
