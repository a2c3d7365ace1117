"""The operator's account and role as manifests, from the rules that the chart installs.

Tests, the demo and the benchmark run the operator outside of a cluster with exactly this role. ``python -m tests.role``
prints the manifests for ``kubectl apply -f -``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).resolve().parents[1] / "helm" / "esm-operator" / "files" / "rbac"
NAME = "esm-operator"
_GROUP = "rbac.authorization.k8s.io"

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Role:
    """Rules for the whole cluster, or for one namespace."""

    rules: Sequence[Rule]
    namespace: str = ""
    """The namespace. Empty: the whole cluster."""

    @property
    def kind(self) -> str:
        """``ClusterRole`` or ``Role``."""
        return "Role" if self.namespace else "ClusterRole"


def rules(file: str) -> list[Rule]:
    """The rules in a file of the chart."""
    return yaml.safe_load((RULES / f"{file}.yaml").read_text())


def shipped(namespace: str = NAME) -> list[Role]:
    """The roles of an operator for all namespaces.

    Args:
        namespace: the namespace of the operator and its lease.
    """
    return [
        Role([*rules("mappings"), *rules("provider-configs"), *rules("namespaces")]),
        Role(rules("lease"), namespace),
    ]


def references() -> list[Rule]:
    """The rules for objects that resources reference, with all settings ``references`` of the chart."""
    return [rule for file in sorted((RULES / "references").glob("*.yaml")) for rule in rules(f"references/{file.stem}")]


def account(name: str = NAME, namespace: str = NAME) -> dict[str, Any]:
    """A ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def granted(role: Role, name: str, account: str, namespace: str = NAME) -> list[dict[str, Any]]:
    """A role and its binding.

    Args:
        role: the rules.
        name: the name of the role and of its binding.
        account: the ServiceAccount that gets it.
        namespace: the namespace of the ServiceAccount.
    """
    meta = {"name": name, **({"namespace": role.namespace} if role.namespace else {})}
    return [
        {"apiVersion": f"{_GROUP}/v1", "kind": role.kind, "metadata": dict(meta), "rules": list(role.rules)},
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": f"{role.kind}Binding",
            "metadata": dict(meta),
            "roleRef": {"apiGroup": _GROUP, "kind": role.kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    ]


def objects(name: str = NAME) -> list[dict[str, Any]]:
    """A namespace with a ServiceAccount and the roles of an operator for all namespaces. All have this name."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        account(name, name),
        *(one for role in shipped(name) for one in granted(role, name, name, name)),
    ]


def manifest(name: str = NAME) -> str:
    """:func:`objects` as YAML, for ``kubectl apply``."""
    return yaml.safe_dump_all(objects(name), sort_keys=False)


if __name__ == "__main__":
    print(manifest(), end="")
