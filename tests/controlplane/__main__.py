"""`python -m tests.controlplane`: runs a control plane until Ctrl-C."""

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from tests.controlplane import assets
from tests.controlplane.binaries import BINARIES, KUBERNETES, TOOLS
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.gomodule import parse_version, pinned_version, write_module
from tests.controlplane.plane import ControlPlane
from tests.controlplane.progress import say

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    options = parse_arguments()
    for number in STOP_SIGNALS:
        signal.signal(number, stop_once)
    try:
        if options.pin:
            write_module(KUBERNETES, parse_version(options.kubernetes_version), KUBERNETES.folder)
        elif options.build_only:
            names = [*BINARIES, *(TOOLS if options.tools else ())]
            for path in assets.find_all(names, options.kubernetes_version):
                print(path)
        else:
            run(options.kubernetes_version, options.data_dir)
    except ControlPlaneError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def run(kubernetes_version: str | None, data_dir: Path | None) -> None:
    with ControlPlane(kubernetes_version=kubernetes_version, data_dir=data_dir) as plane:
        say(f"The control plane is ready. Its kubectl is {plane.kubectl_path}. Ctrl-C stops the control plane.")
        say("To use it, paste this line into another terminal:")
        print(f"export KUBECONFIG={plane.kubeconfig}", flush=True)
        try:
            while True:
                plane.check()
                time.sleep(1)
        except KeyboardInterrupt:
            say("Stopping.")


def stop_once(number: int, frame: FrameType | None) -> None:
    for each in STOP_SIGNALS:  # a second Ctrl-C must not interrupt the clean-up
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    version_help = f"such as 1.32.13; default: {pinned_version(KUBERNETES)}, or the version in KUBEBUILDER_ASSETS"
    parser.add_argument("--kubernetes-version", metavar="VERSION", help=version_help)
    parser.add_argument("--data-dir", type=Path, metavar="FOLDER", help="keep the data here for the next start")
    parser.add_argument("--build-only", action="store_true", help="get the programs, and print their paths")
    parser.add_argument("--tools", action="store_true", help="with --build-only: also build the tools of the tests")
    parser.add_argument("--pin", action="store_true", help="make --kubernetes-version the pinned version")
    options = parser.parse_args()
    if options.pin and not options.kubernetes_version:
        parser.error("--pin needs --kubernetes-version.")
    return options


if __name__ == "__main__":
    sys.exit(main())
