"""Helm with the chart: rendered objects, and releases on a control plane."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.controlplane import assets

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "esm-operator"
VALUES = sorted(Path(__file__).with_name("values").glob("*.yaml"))
#: The values that each installation must set.
NEEDED: Mapping[str, Any] = {"clusterName": "blue", "image": {"repository": "registry.example.com/esm-operator"}}
RELEASE = "esm-operator"
NAMESPACE = "esm-operator"
LIMIT = 240.0


class HelmError(Exception):
    """Helm refused. The text is its message."""


@dataclass(frozen=True)
class Helm:
    """Helm with its own folders."""

    folder: Path
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str | Path, input: str | None = None) -> str:
        """Run Helm, and return its output. Raises HelmError with its message."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            **{f"HELM_{name}_HOME": str(self.folder / name.lower()) for name in ("CACHE", "CONFIG", "DATA")},
            "KUBECONFIG": str(self.kubeconfig or self.folder / "none"),
        }
        done = subprocess.run(
            [assets.find("helm"), *arguments],
            env=environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode != 0:
            raise HelmError(done.stdout + done.stderr)
        return done.stdout

    def template(self, values: Mapping[str, Any], *arguments: str, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
        """The objects that Helm renders without a cluster."""
        given = ("--namespace", namespace, "--values=-", *arguments)
        text = self("template", RELEASE, CHART, *given, input=yaml.safe_dump(dict(values)))
        return [document for document in yaml.safe_load_all(text) if document]

    def install(self, values: Mapping[str, Any], *arguments: str | Path, namespace: str = NAMESPACE) -> str:
        """Run ``helm install``. Returns the notes."""
        return self._release("install", values, *arguments, namespace=namespace)

    def upgrade(self, values: Mapping[str, Any], *arguments: str | Path, namespace: str = NAMESPACE) -> str:
        """Run ``helm upgrade``. Returns the notes."""
        return self._release("upgrade", values, *arguments, namespace=namespace)

    def uninstall(self, namespace: str = NAMESPACE) -> str:
        """Run ``helm uninstall``. It does not wait, because the control plane has no garbage collection."""
        return self("uninstall", RELEASE, "--namespace", namespace, "--cascade=background", "--wait=hookOnly")

    def _release(self, verb: str, values: Mapping[str, Any], *arguments: str | Path, namespace: str) -> str:
        chart = next((one for one in arguments if isinstance(one, Path)), CHART)
        flags = [one for one in arguments if not isinstance(one, Path)]
        given = ("--namespace", namespace, "--values=-", *flags)
        return self(verb, RELEASE, chart, *given, input=yaml.safe_dump(dict(values)))


def merged(*values: Mapping[str, Any]) -> dict[str, Any]:
    """Merge values into others, as Helm does."""
    result: dict[str, Any] = {}
    for layer in values:
        for name, value in layer.items():
            old = result.get(name)
            deeper = isinstance(old, Mapping) and isinstance(value, Mapping)
            result[name] = merged(dict(old or {}), dict(value)) if deeper else value
    return result


def of_kind(objects: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """All objects of a kind."""
    return [one for one in objects if one["kind"] == kind]


def the(objects: Iterable[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The only object of a kind."""
    (found,) = of_kind(objects, kind)
    return found
