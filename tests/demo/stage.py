"""What the demo's steps stand on: the cluster, the AWS server and the operator, with words to show them in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.aws import AwsServer
from tests.demo import terminal
from tests.demo.cluster import LIMIT, Cluster
from tests.demo.errors import DemoError
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

INTERVAL = 0.4  # seconds between two looks


class Stage:
    """The parts of a running demo."""

    def __init__(self, cluster: Cluster, aws: AwsServer, operator: OperatorProcess) -> None:
        self.cluster = cluster
        self.kubectl = cluster.kubectl
        self.aws = aws
        self.operator = operator

    def run(self, *arguments: str, limit: float = LIMIT) -> None:
        """Show a kubectl command, and what it prints."""
        terminal.command(self.kubectl.shown(*arguments))
        terminal.output(self.kubectl(*arguments, limit=limit))

    def watch(self, until: Callable[[], bool], limit: float, what: str, *names: str) -> None:
        """Show `kubectl get esm` of all, or of some, each time that it changes, until something is so."""
        table = terminal.Table()

        def is_so() -> bool:
            done = until()
            self.look(table, *names)
            return done

        self.wait(is_so, limit, what)

    def look(self, table: terminal.Table, *names: str) -> None:
        """Show `kubectl get esm` if it changed."""
        arguments = ("get", "esm", *names)
        table.show(self.kubectl(*arguments), self.kubectl.shown(*arguments))

    def wait(self, until: Callable[[], bool], limit: float, what: str) -> None:
        """Wait until something is so."""

        def is_so() -> bool:
            done = until()
            if not done:
                self.check()
            return done

        eventually(is_so, what, limit=limit, every=INTERVAL, error=DemoError)

    def check(self) -> None:
        """Raises if a part has come to its end."""
        self.cluster.check()
        if self.operator.has_ended():
            raise DemoError("The operator ended without being told to.")

    def resources(self) -> list[dict[str, Any]]:
        """All EventSourceMappings."""
        return self.kubectl.objects("esm")

    def resource(self, name: str) -> dict[str, Any]:
        """One EventSourceMapping."""
        return dict(json.loads(self.kubectl("get", "esm", name, "--output=json")))

    def mappings(self) -> dict[str, dict[str, Any]]:
        """What is at AWS, by UUID."""
        return {str(mapping["UUID"]): mapping for mapping in self.aws.control.mappings()}

    @property
    def kubectl_folder(self) -> Path:
        """Where the kubectl is that fits."""
        return self.kubectl.path.parent
