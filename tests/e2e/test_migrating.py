"""Migration from Terraform, ACK and Crossplane: runs the commands of docs/how-to/migrating/ as they are written.

A thread plays the other tool. While the tool manages a mapping, it removes tags that it does not know. When its
resource is deleted, it deletes the mapping, unless the resource has the setting that keeps the mapping. So a missing
step, or a wrong order of steps, changes the mappings in AWS.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bed import WRITES, Bed
from tests.controlplane.client import path
from tests.e2e.manifests import HERE
from tests.e2e.shell import Shell
from tests.waiting import LIMIT, eventually

OURS = "esm-operator.io/"
MOVE = (
    "1. Export the manifests",
    "2. Observe the mappings",
    "3. Release the mappings in {tool}",
    "4. Adopt the mappings",
    "5. Remove the migration fields",
)
#: Mappings of three kinds, as AWS has them.
MAPPINGS: Mapping[str, Mapping[str, Any]] = {
    "orders": {"EventSourceArn": f"arn:aws:sqs:{HERE}:orders", "BatchSize": 7},
    "clicks": {
        "EventSourceArn": f"arn:aws:kinesis:{HERE}:stream/clicks",
        "StartingPosition": "TRIM_HORIZON",
        "ParallelizationFactor": 2,
    },
    "bills": {
        "EventSourceArn": f"arn:aws:kafka:{HERE}:cluster/bills/11111111-2222-3333-4444-555555555555-1",
        "Topics": ["bills"],
        "StartingPosition": "LATEST",
    },
}


class Tool(threading.Thread, ABC):
    """The other tool. In each round it restores its mappings, and deletes those of deleted resources."""

    def __init__(self, bed: Bed) -> None:
        super().__init__(daemon=True)
        self.rounds = 0
        self._bed = bed
        self._aws = bed.aws.client("lambda", region="eu-west-1")
        self._ended = threading.Event()
        self._error: Exception | None = None

    @abstractmethod
    def managed(self) -> set[str]:
        """The UUIDs of its mappings."""

    def release(self) -> None:
        """Finish the deletion of its resources."""

    def run(self) -> None:
        try:
            while not self._ended.wait(0.2):
                for uuid in self.managed():
                    self._set_back(uuid)
                self.release()
                self.rounds += 1
        except Exception as error:
            self._error = error

    def end(self) -> None:
        self._ended.set()
        self.join(LIMIT)
        assert self._error is None, self._error

    def wait(self) -> None:
        """Wait for three more rounds."""
        rounds = self.rounds
        eventually(lambda: self.rounds >= rounds + 3 or self._error is not None)
        assert self._error is None, self._error

    def delete(self, uuid: str) -> None:
        self._aws.delete_event_source_mapping(UUID=uuid)

    def _set_back(self, uuid: str) -> None:
        arn = f"arn:aws:lambda:{HERE}:event-source-mapping:{uuid}"
        foreign = [key for key in self._aws.list_tags(Resource=arn)["Tags"] if key.startswith(OURS)]
        if foreign:
            self._aws.untag_resource(Resource=arn, TagKeys=foreign)


class Terraform(Tool):
    """Manages the mappings in its state. ``terraform apply`` carries out the ``removed`` blocks."""

    def __init__(self, bed: Bed, uuids: Mapping[str, str], folder: Path) -> None:
        super().__init__(bed)
        self.state = set(uuids.values())
        self.folder = folder

    def managed(self) -> set[str]:
        return set(self.state)

    def type(self, command: str) -> None:
        """A command line that begins with ``terraform``."""
        if "show -json" in command:
            assert command.endswith("> uuids")
            (self.folder / "uuids").write_text("".join(f"{uuid}\n" for uuid in sorted(self.state)))
        elif command == "terraform apply":
            self.state = set()
        else:
            assert command == "terraform plan", command


class Resources(Tool):
    """A controller. Its resources are in the cluster, and have its finalizer."""

    plural: str
    version: str
    namespaced = True

    def __init__(self, bed: Bed, uuids: Mapping[str, str]) -> None:
        super().__init__(bed)
        self._client = bed.client
        name, _, group = self.plural.partition(".")
        folder = f"/namespaces/{bed.namespace}" if self.namespaced else ""
        self._where = f"/apis/{group}/{self.version}{folder}/{name}"
        for name, uuid in uuids.items():
            body = self.body(name, uuid)
            body["metadata"] |= {"name": name, "finalizers": ["example.com/finalizer"]}
            self._client.request("POST", self._where, body)
            if "status" in body:
                self._client.merge(f"{self._where}/{name}/status", {"status": body["status"]})

    @abstractmethod
    def body(self, name: str, uuid: str) -> dict[str, Any]:
        """A resource of its kind."""

    @abstractmethod
    def uuid(self, resource: Mapping[str, Any]) -> str:
        """The UUID of a resource's mapping."""

    @abstractmethod
    def keeps(self, resource: Mapping[str, Any]) -> bool:
        """Whether the mapping is kept when the resource is deleted."""

    def observes(self, resource: Mapping[str, Any]) -> bool:
        """Whether it only observes."""
        return False

    def all(self) -> list[dict[str, Any]]:
        return self._client.items(self._where)

    def managed(self) -> set[str]:
        return {self.uuid(one) for one in self.all() if not self.observes(one)}

    def release(self) -> None:
        for one in self.all():
            if "deletionTimestamp" not in one["metadata"]:
                continue
            if not self.keeps(one):
                self.delete(self.uuid(one))
            self._client.merge(f"{self._where}/{one['metadata']['name']}", {"metadata": {"finalizers": None}})


class Ack(Resources):
    plural = "eventsourcemappings.lambda.services.k8s.aws"
    version = "v1alpha1"

    def body(self, name: str, uuid: str) -> dict[str, Any]:
        return {
            "apiVersion": "lambda.services.k8s.aws/v1alpha1",
            "kind": "EventSourceMapping",
            "metadata": {},
            "spec": {"functionName": name},
            "status": {"uuid": uuid},
        }

    def uuid(self, resource: Mapping[str, Any]) -> str:
        return resource["status"]["uuid"]

    def keeps(self, resource: Mapping[str, Any]) -> bool:
        annotations = resource["metadata"].get("annotations") or {}
        return annotations.get("services.k8s.aws/deletion-policy") == "retain"


class Crossplane(Resources):
    plural = "eventsourcemappings.lambda.aws.upbound.io"
    version = "v1beta2"
    namespaced = False

    def body(self, name: str, uuid: str) -> dict[str, Any]:
        return {
            "apiVersion": "lambda.aws.upbound.io/v1beta2",
            "kind": "EventSourceMapping",
            "metadata": {"annotations": {"crossplane.io/external-name": uuid}},
            "spec": {"forProvider": {"functionName": name, "region": "eu-west-1"}, "managementPolicies": ["*"]},
        }

    def uuid(self, resource: Mapping[str, Any]) -> str:
        return resource["metadata"]["annotations"]["crossplane.io/external-name"]

    def keeps(self, resource: Mapping[str, Any]) -> bool:
        return not {"*", "Delete"} & set(resource["spec"]["managementPolicies"])

    def observes(self, resource: Mapping[str, Any]) -> bool:
        return resource["spec"]["managementPolicies"] == ["Observe"]


def definition(tool: type[Resources]) -> dict[str, Any]:
    """A CRD that takes anything: what matters here is the kind, and that its status is a subresource."""
    name, _, group = tool.plural.partition(".")
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {
        "name": tool.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": anything},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": tool.plural},
        "spec": {
            "group": group,
            "names": {"plural": name, "kind": "EventSourceMapping"},
            "scope": "Namespaced" if tool.namespaced else "Cluster",
            "versions": [served],
        },
    }


@contextmanager
def kind(bed: Bed, tool: type[Resources]) -> Generator[None]:
    """The other controller's kind, for the time of a test."""
    crd = path("CustomResourceDefinition", tool.plural)
    name, _, group = tool.plural.partition(".")
    where = f"/apis/{group}/{tool.version}/{name}"
    bed.client.install(definition(tool))
    try:
        eventually(lambda: bed.client.get(where), "the kind is served")
        yield
    finally:
        for one in bed.client.items(where):  # of a test that has failed
            folder = f"namespaces/{bed.namespace}/" if tool.namespaced else ""
            it = f"/apis/{group}/{tool.version}/{folder}{name}/{one['metadata']['name']}"
            bed.client.merge(it, {"metadata": {"finalizers": None}})
        bed.client.delete(crd)
        eventually(lambda: bed.client.get(crd) is None, "the kind is gone")


@contextmanager
def at_work(tool: Tool) -> Generator[Tool]:
    tool.start()
    try:
        yield tool
    finally:
        tool.end()


@pytest.fixture
def uuids(bed: Bed) -> dict[str, str]:
    """The mappings of the other tool: with its tags, and without owner tags."""
    aws = bed.aws.client("lambda", region="eu-west-1")
    tags = {"team": "shop", "crossplane-name": "x", "services.k8s.aws/controller-version": "1"}
    found = {
        name: str(aws.create_event_source_mapping(FunctionName=name, Tags=tags, **members)["UUID"])
        for name, members in MAPPINGS.items()
    }
    eventually(lambda: all(one["State"] == "Enabled" for one in bed.mappings()))
    return found


def as_it_is(bed: Bed) -> dict[str, dict[str, Any]]:
    """The mappings without their tags."""
    return {one["UUID"]: {name: value for name, value in one.items() if name != "Tags"} for one in bed.mappings()}


def written(bed: Bed) -> dict[str, int]:
    return {name: count for name, count in bed.calls().items() if name in WRITES}


def owned(bed: Bed) -> int:
    """The number of mappings with the operator's tags."""
    return sum(f"{OURS}uid" in one["Tags"] for one in bed.mappings())


def check_move(bed: Bed, shell: Shell, page: str, tool: Tool, name: str) -> None:
    """Run the steps of the page, and check AWS after each step."""
    before = as_it_is(bed)
    bed.control.reset_counts()
    bed.operator("--sweep-interval=1", "--requests-per-second=100")
    export, watch, orphan, take_over, clean_up = (section.format(tool=name) for section in MOVE)
    shell.run(page, export)
    shell.run(page, watch)
    tool.wait()
    rows = shell.run(page, watch)[-1].splitlines()[1:]
    assert len(rows) == len(before)
    assert all(row.split()[1] == "True" for row in rows), rows
    assert written(bed) == {}, "observing writes to AWS"

    shell.run(page, orphan)
    tool.wait()
    assert tool.managed() == set()
    assert written(bed) == {}, "the release changes mappings in AWS"

    looked = bed.calls()["ListTags"]
    shell.run(page, take_over)
    looked = bed.calls()["ListTags"] - looked  # the tool does not look any more
    assert owned(bed) == len(before)
    assert written(bed) == {"TagResource": len(before)}
    assert looked + written(bed)["TagResource"] <= 3 * len(before), "the page promises three requests for each mapping"

    shell.run(page, clean_up)
    names = {one["metadata"]["name"] for one in bed.all()}
    for one in names:
        spec = bed.wait_ready(one)["spec"]
        assert not spec.keys() & {"adoption", "deletionPolicy", "managementPolicy"}
        assert bed.condition(one, "Synced")["status"] == "True"
    bed.wait_swept(2)
    assert written(bed) == {"TagResource": len(before)}
    assert as_it_is(bed) == before
    assert all(one["Tags"]["team"] == "shop" for one in bed.mappings())


#: Another value of a field that has AWS's default in all mappings.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "orders": {"MaximumBatchingWindowInSeconds": 5},
    "clicks": {"BatchSize": 50},
    "bills": {"BatchSize": 50},
}


def check_drift(bed: Bed) -> None:
    """Change values at AWS that equalled AWS's default during the migration. The operator restores them."""
    before = {one["UUID"]: one for one in bed.mappings()}
    for uuid, one in before.items():
        bed.control.edit_mapping(uuid, **DEFAULTS[one["FunctionArn"].rpartition(":")[2]])

    def different() -> dict[str, Any]:
        return {
            one["UUID"]: {name: one.get(name) for name in ("State", *changed)}
            for one in bed.mappings()
            if (changed := DEFAULTS[one["FunctionArn"].rpartition(":")[2]])
            and any(one.get(name) != before[one["UUID"]].get(name) for name in ("State", *changed))
        }

    eventually(lambda: not different(), what="the operator corrects the drift")
    for one in bed.all():
        bed.wait_condition(one["metadata"]["name"], "Synced", "True", "InSync")


def check_back(bed: Bed, shell: Shell, page: str) -> None:
    """Go back as the page describes: the mappings remain, without an owner."""
    before = as_it_is(bed)
    counts = written(bed)
    shell.run(page, "Go back")
    assert bed.all() == []
    assert as_it_is(bed) == before
    assert owned(bed) == 0
    assert written(bed) == counts | {"UntagResource": len(before)}


def test_from_terraform(bed: Bed, uuids: dict[str, str], tmp_path: Path) -> None:
    terraform = Terraform(bed, uuids, tmp_path)
    shell = Shell(bed, tmp_path, {"terraform": terraform.type})
    with at_work(terraform):
        check_move(bed, shell, "how-to/migrating/terraform.md", terraform, "Terraform")
        check_drift(bed)
        check_back(bed, shell, "how-to/migrating/terraform.md")


def test_from_ack(bed: Bed, uuids: dict[str, str], tmp_path: Path) -> None:
    with kind(bed, Ack), at_work(Ack(bed, uuids)) as ack:
        shell = Shell(bed, tmp_path)
        check_move(bed, shell, "how-to/migrating/ack.md", ack, "ACK")
        check_drift(bed)
        specs = [one["spec"] for one in bed.all()]
        assert all(one["tags"] == {"team": "shop", "crossplane-name": "x"} for one in specs)
        check_back(bed, shell, "how-to/migrating/ack.md")


def test_from_crossplane(bed: Bed, uuids: dict[str, str], tmp_path: Path) -> None:
    with kind(bed, Crossplane), at_work(Crossplane(bed, uuids)) as crossplane:
        shell = Shell(bed, tmp_path)
        check_move(bed, shell, "how-to/migrating/crossplane.md", crossplane, "Crossplane")
        check_drift(bed)
        specs = [one["spec"] for one in bed.all()]
        assert all("crossplane-name" not in one["tags"] for one in specs)
        check_back(bed, shell, "how-to/migrating/crossplane.md")


def test_back_while_the_operator_only_observes(bed: Bed, uuids: dict[str, str], tmp_path: Path) -> None:
    """Deleting the resources is enough, and the other tool keeps the mappings."""
    terraform = Terraform(bed, uuids, tmp_path)
    shell = Shell(bed, tmp_path, {"terraform": terraform.type})
    before = bed.mappings()
    bed.control.reset_counts()
    bed.operator("--sweep-interval=1")
    with at_work(terraform):
        for section in MOVE[:2]:
            shell.run("how-to/migrating/terraform.md", section)
        shell.type("kubectl delete --filename mappings.yaml")
        terraform.wait()
    assert written(bed) == {}
    assert bed.mappings() == before


def test_an_adoption_before_the_release_loses_nothing(bed: Bed, uuids: dict[str, str], tmp_path: Path) -> None:
    """Until the tool ends, it removes the owner tags, and the operator restores them while the adoption is set."""
    terraform = Terraform(bed, uuids, tmp_path)
    shell = Shell(bed, tmp_path, {"terraform": terraform.type})
    before = as_it_is(bed)
    bed.operator("--sweep-interval=1", "--tag-sweep-interval=1", "--requests-per-second=100")
    with at_work(terraform):
        shell.run("how-to/migrating/terraform.md", MOVE[0])
        shell.type("sed -i '/managementPolicy: Observe/d' mappings.yaml")
        shell.type("kubectl apply --server-side --filename mappings.yaml")
        eventually(lambda: bed.calls().get("UntagResource"), what="the tool removes tags")
        shell.run("how-to/migrating/terraform.md", MOVE[2].format(tool="Terraform"))
        names = [one["metadata"]["name"] for one in bed.all()]
        shell.type("kubectl annotate esm --namespace shop --all lambda.esm-operator.io/reconcile-at=now")
        for name in names:
            bed.wait_ready(name)
        eventually(lambda: owned(bed) == len(before), what="the tags are restored")
    assert as_it_is(bed) == before
    assert not bed.calls().keys() & {"UpdateEventSourceMapping", "DeleteEventSourceMapping"}
