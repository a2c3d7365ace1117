"""The cluster that the demo plays in, whichever it is: kubectl for it, and the operator's way into it."""

import json
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.demo.errors import DemoError

ROOT = Path(__file__).resolve().parents[2]
CRDS = ROOT / "crds"
KINDS = ("eventsourcemappings.lambda.esm-operator.io", "providerconfigs.lambda.esm-operator.io")
LIMIT = 240.0  # seconds that a kubectl may take, if nothing else is said


@dataclass(frozen=True)
class Kubectl:
    """A kubectl with the kubeconfig files that it reads."""

    path: Path
    kubeconfig: str

    def __call__(
        self, *arguments: str | Path, input: str | None = None, check: bool = True, limit: float = LIMIT
    ) -> str:
        """What it prints. Raises DemoError with what it complains of."""
        command = [str(self.path), *map(str, arguments)]
        environment = os.environ | {"KUBECONFIG": self.kubeconfig, "KUBERC": "off"}
        try:
            done = subprocess.run(
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
            raise DemoError(f"This took more than {limit:.0f} seconds: {self.shown(*arguments)}") from None
        if check and done.returncode != 0:
            raise DemoError(f"This failed: {self.shown(*arguments)}\n{done.stderr.strip()}")
        return done.stdout

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """What `kubectl get` finds."""
        return list(json.loads(self("get", *arguments, "--output=json"))["items"])

    @staticmethod
    def shown(*arguments: str | Path) -> str:
        """The command as one would type it."""
        return shlex.join(["kubectl", *map(str, arguments)])


@dataclass(frozen=True)
class Cluster:
    """A cluster with our kinds and the operator's role in it."""

    name: str
    kubectl: Kubectl
    operator_kubeconfig: Path
    operator_arguments: tuple[str, ...] = field(default=())

    def check(self) -> None:
        """Raises if it has come to an end."""


def wait_until_served(kubectl: Kubectl) -> None:
    """Until the API server knows our kinds."""
    for kind in KINDS:
        kubectl("wait", "--for=condition=Established", f"crd/{kind}", "--timeout=200s")
