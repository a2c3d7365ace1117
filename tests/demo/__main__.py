"""`python -m tests.demo`, or `make demo`.

DEMO_ONCE=1: a script instead of an invitation to play; so without a terminal.
DEMO_CONTEXT=NAME: in the cluster of this context of your kubeconfig, instead of a control plane of its own.
"""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.aws import AwsServer, Settings
from tests.controlplane import ControlPlaneError
from tests.demo import interrupts
from tests.demo.cluster import ROOT
from tests.demo.errors import DemoError
from tests.demo.guest import guest
from tests.demo.invitation import play_on
from tests.demo.own_cluster import own_cluster
from tests.demo.stage import Stage
from tests.demo.story import EXAMPLES, apply_examples, play_the_script
from tests.demo.terminal import explain, output, problem
from tests.operator_process import OperatorProcess

AWS = Settings(pace=3.0, quota=15.0)
TAIL = 30  # lines of the operator's log, when something went wrong


def main() -> int:
    interrupts.listen()
    once = os.environ.get("DEMO_ONCE", "0") not in ("", "0") or not (sys.stdin.isatty() and sys.stdout.isatty())
    try:
        with interrupts.alone_at_the_terminal():
            perform(os.environ.get("DEMO_CONTEXT", ""), once)
    except KeyboardInterrupt:
        return 130 if once else 0
    except (DemoError, ControlPlaneError) as error:
        problem(str(error))
        return 1
    except BrokenPipeError:  # nobody looks any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def perform(context: str, once: bool) -> None:
    """The whole demo. Whatever happens, all that it started is stopped and removed."""
    if not list((ROOT / EXAMPLES).glob("*.yaml")):
        raise DemoError(f"There are no manifests in {EXAMPLES}/. Run the demo in a complete checkout.")
    with ExitStack() as exits:
        exits.callback(_say_goodbye, once)
        folder = Path(exits.enter_context(TemporaryDirectory(prefix="esm-operator-demo-")))
        stage = _set(exits, context, folder / "operator.log")
        try:
            apply_examples(stage)
            if once:
                if not os.environ.get("DEMO_ONCE"):
                    explain("There is no terminal to play on at, so the demo shows what it can and ends by itself.")
                play_the_script(stage)
            else:
                play_on(stage)
        except DemoError as error:
            raise DemoError(f"{error}\nThe end of the operator's log:\n{stage.operator.tail(TAIL)}") from None
        finally:
            interrupts.ignore()


def _set(exits: ExitStack, context: str, log: Path) -> Stage:
    cluster = exits.enter_context(guest(context) if context else own_cluster())
    explain("A server that behaves as AWS does is started on this machine: nothing costs anything.")
    try:
        aws = exits.enter_context(AwsServer(AWS))
    except RuntimeError as error:
        raise DemoError(f"The AWS server can't be started: {error}") from None
    explain("The operator is started, with the rights of its ServiceAccount in the cluster.")
    operator = OperatorProcess(
        kubeconfig=cluster.operator_kubeconfig,
        endpoint=aws.endpoint,
        log=log,
        arguments=("--cluster-name=demo", *cluster.operator_arguments),
    )
    try:
        exits.enter_context(operator)
    except (RuntimeError, TimeoutError) as error:
        raise DemoError(str(error)) from None
    return Stage(cluster, aws, operator)


def _say_goodbye(once: bool) -> None:
    if not once:
        output("\nEverything is stopped and removed.")


if __name__ == "__main__":
    sys.exit(main())
