"""The verdicts of Flux and Argo CD about objects and manifests, from the program `verdicts`.

The program is built from Flux's library kstatus, Flux's API types and the Lua interpreter of Argo CD. See
``tests/controlplane/go/verdicts``.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.controlplane import assets

GITOPS = Path(__file__).resolve().parents[2] / "gitops"
HEALTH_CHECK = GITOPS / "argocd" / "health.lua"
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Health:
    """The verdicts about one object."""

    kstatus: str
    kstatus_message: str
    argocd: str
    argocd_message: str

    @property
    def words(self) -> tuple[str, str]:
        """The status of kstatus and the health of Argo CD."""
        return self.kstatus, self.argocd


def health(objects: Iterable[Mapping[str, Any]], script: Path = HEALTH_CHECK) -> list[Health]:
    """The verdicts about objects, in order.

    Args:
        objects: the objects from the API server.
        script: a health check for Argo CD.
    """
    return [
        Health(
            kstatus=one["kstatus"]["status"],
            kstatus_message=one["kstatus"]["message"],
            argocd=one["argocd"]["status"],
            argocd_message=one["argocd"]["message"],
        )
        for one in _ask(["health", str(script)], objects)
    ]


def flux_problems(manifests: Iterable[Mapping[str, Any]]) -> list[str]:
    """The unknown fields in manifests of Flux's kinds, in order. Empty: all fields are known."""
    return [one["problem"] for one in _ask(["flux"], manifests)]


def _ask(arguments: list[str], objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    lines = "".join(f"{json.dumps(one)}\n" for one in objects)
    done = subprocess.run(
        [assets.find("verdicts"), *arguments],
        input=lines,
        text=True,
        capture_output=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
