"""`python -m tests.demo`, or `make demo`.

DEMO_ONCE=1 runs all steps and ends. Without a terminal, the demo does the same.
DEMO_CONTEXT=NAME uses the cluster of a context of your kubeconfig, in place of a control plane on this machine.
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
from tests.demo.references import show_references
from tests.demo.stage import SWEEP_INTERVAL, Stage
from tests.demo.story import EXAMPLES, apply_examples, play_the_script, show_guards
from tests.demo.terminal import explain, output, problem
from tests.operator_process import OperatorProcess

AWS = Settings(pace=3.0, quota=15.0)
TAIL = 30  # lines of the operator's log that are shown after a failure


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
    except BrokenPipeError:  # the reader of the output has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def perform(context: str, once: bool) -> None:
    """The whole demo. It stops and removes everything that it has started, even if a step fails."""
    if not list((ROOT / EXAMPLES).glob("*.yaml")):
        raise DemoError(f"{EXAMPLES}/ has no manifests. Run the demo in a complete checkout.")
    with ExitStack() as exits:
        exits.callback(_say_goodbye, once)
        folder = Path(exits.enter_context(TemporaryDirectory(prefix="esm-operator-demo-")))
        stage = _set(exits, context, folder / "operator.log")
        try:
            apply_examples(stage)
            show_guards(stage)
            show_references(stage)
            if once:
                if not os.environ.get("DEMO_ONCE"):
                    explain("There is no terminal, so the demo runs the other steps and ends.")
                play_the_script(stage)
            else:
                play_on(stage)
        except DemoError as error:
            raise DemoError(f"{error}\nThe end of the operator's log:\n{stage.operator.tail(TAIL)}") from None
        finally:
            interrupts.ignore()


def _set(exits: ExitStack, context: str, log: Path) -> Stage:
    cluster = exits.enter_context(guest(context) if context else own_cluster())
    explain("Start an AWS server on this machine. It behaves like AWS Lambda, needs no account, and costs nothing.")
    try:
        aws = exits.enter_context(AwsServer(AWS))
    except RuntimeError as error:
        raise DemoError(f"The AWS server can't be started: {error}") from None
    aws.warm_up()
    explain("Start the operator. It has the permissions of its ServiceAccount in the cluster.")
    operator = OperatorProcess(
        kubeconfig=cluster.operator_kubeconfig,
        endpoint=aws.endpoint,
        log=log,
        arguments=("--cluster-name=demo", f"--sweep-interval={SWEEP_INTERVAL}", *cluster.operator_arguments),
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
