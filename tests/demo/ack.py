"""The kinds of ACK (AWS controllers for Kubernetes) to which a mapping of the demo refers.

ACK does not run in the demo. The demo has CRDs with the fields that it needs, and writes the ARNs in place of ACK. Its
CRDs must never replace those of ACK, and in a cluster with ACK its objects would become functions and queues in AWS. So
the demo leaves them out in a cluster that has a CRD of these names.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import role

FOLDER = Path("examples") / "ack"
NAME = "refunds"
"""The name of the mapping, the function and the queue in the folder."""
_ACCOUNT = "eu-west-1:123456789012"


@dataclass(frozen=True)
class Kind:
    """A kind of ACK."""

    service: str
    kind: str
    arn: str
    """The beginning of the ARN of an object, before its name."""

    @property
    def crd_name(self) -> str:
        """The name of the CRD, which kubectl takes for the kind too."""
        return f"{self.kind.lower()}s.{self.service}.services.k8s.aws"

    def crd(self) -> dict[str, Any]:
        """A CRD with the ARN in the status, at the place where ACK has it. The spec takes any fields."""
        plural, _, group = self.crd_name.partition(".")
        arn = {"type": "object", "properties": {"arn": {"type": "string"}}}
        schema = {
            "type": "object",
            "properties": {
                "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "status": {"type": "object", "properties": {"ackResourceMetadata": arn}},
            },
        }
        version = {
            "name": "v1alpha1",
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": schema},
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.crd_name},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": self.kind, "plural": plural, "singular": self.kind.lower()},
                "versions": [version],
            },
        }

    def report_arn(self, name: str) -> tuple[str, ...]:
        """The arguments of kubectl that write the ARN to the status, as the controller of ACK does.

        Args:
            name: the name of the function or the queue in AWS.
        """
        status = {"status": {"ackResourceMetadata": {"arn": f"{self.arn}{name}"}}}
        return "patch", self.crd_name, NAME, "--subresource=status", "--type=merge", "--patch", json.dumps(status)


FUNCTION = Kind("lambda", "Function", f"arn:aws:lambda:{_ACCOUNT}:function:")
QUEUE = Kind("sqs", "Queue", f"arn:aws:sqs:{_ACCOUNT}:")
CRD_NAMES = (FUNCTION.crd_name, QUEUE.crd_name)


def objects(account: str) -> list[dict[str, Any]]:
    """The CRDs, and the right of a ServiceAccount to read the objects, as the chart grants it.

    Args:
        account: the name of the ServiceAccount and of its namespace.
    """
    reader = role.Role(role.rules("references/ack"))
    return [FUNCTION.crd(), QUEUE.crd(), *role.granted(reader, f"{account}-references", account, account)]
