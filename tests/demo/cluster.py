"""The cluster of the demo: its kubectl, and the kubeconfig of the operator."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.demo.errors import DemoError

ROOT = Path(__file__).resolve().parents[2]
CRDS = ROOT / "crds"
KINDS = ("eventsourcemappings.lambda.esm-operator.io", "providerconfigs.lambda.esm-operator.io")
LIMIT = 240.0  # seconds after which a kubectl command has failed


@dataclass(frozen=True)
class Kubectl:
    """A kubectl and its kubeconfig files."""

    path: Path
    kubeconfig: str

    def __call__(
        self, *arguments: str | Path, input: str | None = None, check: bool = True, limit: float = LIMIT
    ) -> str:
        """Run kubectl and return its output. If it fails, raise DemoError with its message, unless `check` is False."""
        done = self._run(arguments, input, limit)
        if check and done.returncode != 0:
            raise DemoError(f"This command failed: {self.shown(*arguments)}\n{done.stderr.strip()}")
        return done.stdout

    def refusal(self, *arguments: str | Path, input: str) -> str:
        """Run a command that the API server has to refuse, and return its message. Raises DemoError if it succeeds."""
        done = self._run(arguments, input, LIMIT)
        if done.returncode == 0:
            raise DemoError(f"The API server did not refuse this: {self.shown(*arguments)}\n{input}")
        return done.stderr.strip()

    def _run(
        self, arguments: tuple[str | Path, ...], input: str | None, limit: float
    ) -> subprocess.CompletedProcess[str]:
        command = [str(self.path), *map(str, arguments)]
        environment = os.environ | {"KUBECONFIG": self.kubeconfig, "KUBERC": "off"}
        try:
            return subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                input=input,
                stdin=subprocess.DEVNULL if input is None else None,
                timeout=limit,
                text=True,
                capture_output=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DemoError(f"This command took more than {limit:.0f} s: {self.shown(*arguments)}") from None

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects that `kubectl get` prints."""
        return list(json.loads(self("get", *arguments, "--output=json"))["items"])

    @staticmethod
    def shown(*arguments: str | Path) -> str:
        """The command as a person types it."""
        return shlex.join(["kubectl", *map(str, arguments)])


@dataclass(frozen=True)
class Cluster:
    """A cluster with the CRDs and the role of the operator."""

    name: str
    kubectl: Kubectl
    operator_kubeconfig: Path
    operator_arguments: tuple[str, ...] = field(default=())
    demo_ack: bool = True
    """Whether the demo has installed its CRDs of ACK."""

    def check(self) -> None:
        """Raise ControlPlaneError if the cluster has ended."""


def wait_until_served(kubectl: Kubectl, names: Iterable[str]) -> None:
    """Wait until the API server serves the CRDs with these names."""
    for kind in names:
        kubectl("wait", "--for=condition=Established", f"crd/{kind}", "--timeout=600s")
