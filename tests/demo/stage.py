"""The parts that all steps of the demo use: the cluster, the AWS server and the operator."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.aws import AwsServer
from tests.demo import terminal
from tests.demo.cluster import LIMIT, ROOT, Cluster
from tests.demo.errors import DemoError
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

INTERVAL = 0.4  # seconds between two checks of a condition
SWEEP_INTERVAL = 5  # seconds between two sweeps of the operator


class Stage:
    """The parts of a running demo."""

    def __init__(self, cluster: Cluster, aws: AwsServer, operator: OperatorProcess) -> None:
        self.cluster = cluster
        self.kubectl = cluster.kubectl
        self.aws = aws
        self.operator = operator

    def run(self, *arguments: str, limit: float = LIMIT) -> None:
        """Show a kubectl command and its output."""
        terminal.command(self.kubectl.shown(*arguments))
        terminal.output(self.kubectl(*arguments, limit=limit))

    def show_file(self, path: Path) -> None:
        """Show a file of the checkout."""
        terminal.command(f"cat {path}")
        terminal.output((ROOT / path).read_text())

    def refused(self, *arguments: str, input: str) -> None:
        """Show a kubectl command with its input, and the refusal of the API server. Raises DemoError if it succeeds."""
        terminal.command(f"{self.kubectl.shown(*arguments)} <<'EOF'\n{input}EOF")
        terminal.output(self.kubectl.refusal(*arguments, input=input))

    def watch(self, until: Callable[[], bool], limit: float, what: str, *names: str) -> None:
        """Show `kubectl get esm` each time that it changes, until a condition holds. No names: all resources."""
        table = terminal.Table()

        def holds() -> bool:
            done = until()
            self.look(table, *names)
            return done

        self.wait(holds, limit, what)

    def look(self, table: terminal.Table, *names: str) -> None:
        """Show `kubectl get esm` if it has changed."""
        arguments = ("get", "esm", *names)
        table.show(self.kubectl(*arguments), self.kubectl.shown(*arguments))

    def wait(self, until: Callable[[], bool], limit: float, what: str) -> None:
        """Wait until a condition holds. Raises DemoError after so many seconds."""

        def holds() -> bool:
            done = until()
            if not done:
                self.check()
            return done

        eventually(holds, what, limit=limit, every=INTERVAL, error=DemoError)

    def check(self) -> None:
        """Raise DemoError if a part has ended."""
        self.cluster.check()
        if self.operator.has_ended():
            raise DemoError("The operator has ended unexpectedly.")

    def resources(self) -> list[dict[str, Any]]:
        """All EventSourceMappings."""
        return self.kubectl.objects("esm")

    def resource(self, name: str) -> dict[str, Any]:
        """One EventSourceMapping."""
        return dict(json.loads(self.kubectl("get", "esm", name, "--output=json")))

    def mappings(self) -> dict[str, dict[str, Any]]:
        """The mappings in AWS, by UUID."""
        return {str(mapping["UUID"]): mapping for mapping in self.aws.control.mappings()}

    @property
    def kubectl_folder(self) -> Path:
        """The folder of the kubectl whose version fits."""
        return self.kubectl.path.parent
