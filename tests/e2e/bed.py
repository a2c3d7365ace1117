"""What one scenario stands on: a namespace of its own, an AWS server and an operator, with words to tell it in."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.aws import AwsServer, Control
from tests.controlplane import ControlPlane
from tests.e2e.cluster import Cluster
from tests.operator_process import OperatorProcess

Answer = TypeVar("Answer")
KIND = "eventsourcemappings.lambda.esm-operator.io"
CONFIGS = "providerconfigs.lambda.esm-operator.io"
FINALIZER = "lambda.esm-operator.io/mapping"
#: Operations that change something at AWS.
WRITES = frozenset(
    {
        "CreateEventSourceMapping",
        "UpdateEventSourceMapping",
        "DeleteEventSourceMapping",
        "TagResource",
        "UntagResource",
    }
)
#: Operations that a resource which has not changed may cost.
SWEEPS = frozenset({"ListEventSourceMappings", "GetResources", "GetCallerIdentity"})


def eventually(check: Callable[[], Answer | None], timeout: float = 60.0, what: str = "") -> Answer:
    """Wait until a check answers something true, and return that."""
    deadline = time.monotonic() + timeout
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {timeout:.0f} s: {what or check}")
        time.sleep(0.1)


class Bed:
    """The parts of one scenario, and short ways to use them."""

    def __init__(
        self,
        *,
        plane: ControlPlane,
        aws: AwsServer,
        kubeconfig: Path,
        namespace: str,
        log: Path,
        exits: ExitStack,
    ) -> None:
        self.plane = plane
        self.aws = aws
        self.namespace = namespace
        self._cluster = Cluster(plane.kubeconfig)
        self._resources = f"/apis/lambda.esm-operator.io/v1/namespaces/{namespace}/eventsourcemappings"
        self._kubeconfig = kubeconfig
        self._log = log
        self._exits = exits

    @property
    def control(self) -> Control:
        """The control API of the AWS server."""
        return self.aws.control

    def operator(self, *arguments: str, environment: Mapping[str, str] | None = None) -> OperatorProcess:
        """Start an operator; it is stopped at the end of the test."""
        process = OperatorProcess(
            kubeconfig=self._kubeconfig,
            endpoint=self.aws.endpoint,
            log=self._log,
            arguments=("--log-level=debug", *arguments),
            environment=environment,
        )
        return self._exits.enter_context(process)

    # The cluster

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:
        """What kubectl prints, in the scenario's namespace."""
        return self.plane.kubectl("--namespace", self.namespace, *arguments, input=input, check=check).stdout

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """``kubectl apply`` of manifests."""
        self.kubectl("apply", "--filename=-", input=yaml.safe_dump_all(list(objects)))

    def get(self, name: str) -> dict[str, Any] | None:
        """A resource, or None where there is none."""
        return self._cluster.get(f"{self._resources}/{name}")

    def all(self) -> list[dict[str, Any]]:
        """All resources."""
        return (self._cluster.get(self._resources) or {})["items"]

    def status(self, name: str) -> dict[str, Any]:
        """The status of a resource."""
        return (self.get(name) or {}).get("status") or {}

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Merge into a resource's spec."""
        self.kubectl("patch", KIND, name, "--type=merge", "--patch", json.dumps({"spec": spec}))

    def delete(self, name: str) -> None:
        """Ask for a resource to be deleted, without waiting."""
        self.kubectl("delete", KIND, name, "--wait=false")

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """A condition that was told of the spec as it is now, or an empty one."""
        found = self.get(name) or {}
        status = found.get("status") or {}
        if not found or status.get("observedGeneration") != found["metadata"]["generation"]:
            return {}
        return next((one for one in status.get("conditions") or () if one["type"] == kind), {})

    def wait_ready(self, name: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for Ready=True; the resource then."""
        try:
            eventually(lambda: self.condition(name, "Ready").get("status") == "True", timeout)
        except AssertionError as error:
            raise AssertionError(f"{name} is not ready: {json.dumps(self.get(name), indent=1)}") from error
        found = self.get(name)
        assert found is not None
        return found

    def wait_condition(self, name: str, kind: str, status: str, reason: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for a condition with a reason; the condition then."""

        def holds() -> dict[str, Any] | None:
            found = self.condition(name, kind)
            return found if (found.get("status"), found.get("reason")) == (status, reason) else None

        try:
            return eventually(holds, timeout)
        except AssertionError as error:
            shown = json.dumps(self.get(name), indent=1)
            raise AssertionError(f"{name} does not get {kind}={status} ({reason}): {shown}") from error

    def wait_gone(self, name: str, timeout: float = 60.0) -> None:
        """Wait until a resource is gone from the cluster."""
        eventually(lambda: self.get(name) is None, timeout, f"{name} is gone")

    def events(self, name: str) -> dict[str, str]:
        """The messages of a resource's Events, by reason."""
        found = self._cluster.get(f"/api/v1/namespaces/{self.namespace}/events") or {}
        return {one["reason"]: one["message"] for one in found["items"] if one["involvedObject"]["name"] == name}

    def event(self, name: str, reason: str) -> str:
        """Wait for an Event of a resource, which comes after the status. Returns its message."""
        return eventually(lambda: self.events(name).get(reason), what=f"the Event {reason} of {name}")

    def versions(self) -> dict[str, str]:
        """The resourceVersion of each resource."""
        return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in self.all()}

    def watch(self, name: str, into: Path) -> subprocess.Popen[bytes]:
        """Write each resourceVersion of a resource, a line each, into a file, until the test ends."""
        with into.open("wb") as file:
            process = subprocess.Popen(
                [
                    *(str(self.plane.kubectl_path), f"--kubeconfig={self.plane.kubeconfig}"),
                    *(f"--namespace={self.namespace}", "get", KIND, f"--field-selector=metadata.name={name}"),
                    *("--watch", '--output=jsonpath={.metadata.resourceVersion}{"\\n"}'),
                ],
                stdout=file,
                stdin=subprocess.DEVNULL,
            )
        self._exits.callback(process.wait)
        self._exits.callback(process.kill)
        return process

    # AWS

    def mappings(self) -> list[dict[str, Any]]:
        """All mappings at AWS."""
        return self.control.mappings()

    def mapping(self, name: str) -> dict[str, Any]:
        """The mapping at AWS of a resource."""
        uuid = self.status(name)["uuid"]
        return next(one for one in self.mappings() if one["UUID"] == uuid)

    def calls(self) -> dict[str, int]:
        """How often each operation was called."""
        return self.control.counts().calls

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """The members of all requests of one operation, in order."""
        return [one["members"] for one in self.control.requests(2000) if one["operation"] == operation]

    def functions(self) -> Counter[str]:
        """How many mappings each function has at AWS."""
        return Counter(one["FunctionArn"].rpartition(":")[2] for one in self.mappings())

    def wait_swept(self, times: int = 1, timeout: float = 60.0) -> None:
        """Wait until AWS has been asked for so many more lists."""
        before = self.calls().get("ListEventSourceMappings", 0)
        eventually(lambda: self.calls().get("ListEventSourceMappings", 0) >= before + times, timeout, "a sweep")

    def clear(self) -> None:
        """Take all resources of the scenario away, though no operator runs."""
        names = list(self.versions())
        patch = json.dumps({"metadata": {"finalizers": None}})
        if names:
            self.kubectl("patch", KIND, *names, "--type=merge", "--patch", patch, check=False)
            self.kubectl("delete", KIND, *names, "--ignore-not-found", "--wait=false")
        configs = self.plane.kubectl("get", CONFIGS, "--output=name").stdout.split()
        if configs:
            self.plane.kubectl("patch", *configs, "--type=merge", "--patch", patch, check=False)
        self.plane.kubectl("delete", CONFIGS, "--all", "--wait=false")
