"""``esm-operator export --references``: the references have the values of the mappings, so nothing changes in AWS."""

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from esm_operator.api.reference_kinds import KINDS, VALUE_PATHS
from tests import role
from tests.bed import WRITES, Bed
from tests.bed.cluster import create_namespace
from tests.e2e.manifests import HERE
from tests.e2e.referenced_objects import (
    ACK,
    CASES,
    SERVERS,
    UPBOUND,
    UPBOUND_NAMESPACED,
    Case,
    case_of,
    delete,
    objects_path,
    put,
    reference,
)
from tests.e2e.test_export import (
    DONE,
    FAILED,
    HOUR,
    apply,
    as_it_is,
    created,
    export,
    exported,
    made,
    parsed,
    printed,
    uuids,
    wait_taken_over,
)
from tests.waiting import eventually

QUEUE, FUNCTION = case_of("Queue", "sqs.services.k8s.aws"), case_of("Function", "lambda.services.k8s.aws")
CROSSPLANE_QUEUE = case_of("Queue", "sqs.aws.m.upbound.io")
KAFKA, TOPIC = case_of("Kafka", "kafka.strimzi.io"), case_of("KafkaTopic", "kafka.strimzi.io")


@pytest.fixture
def bed(reference_bed: Bed) -> Bed:
    return reference_bed


def arn(name: str) -> str:
    return f"arn:aws:sqs:{HERE}:{name}"


def queue_body(name: str) -> dict[str, Any]:
    """A queue of ACK that has this name in AWS."""
    return {"status": {"ackResourceMetadata": {"arn": arn(name)}}}


def function_body(name: str) -> dict[str, Any]:
    """A function of ACK that has this name in AWS."""
    return {"status": {"ackResourceMetadata": {"arn": f"arn:aws:lambda:{HERE}:function:{name}"}}}


def referring(
    bed: Bed, *arguments: str, kubeconfig: Path | None = None, namespace: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command with references, for the namespace of the scenario."""
    cluster = {"HOME": str(bed.folder), "KUBECONFIG": str(kubeconfig or bed.plane.kubeconfig)}
    return export(bed, "--references", f"--namespace={namespace or bed.namespace}", *arguments, environment=cluster)


def with_references(bed: Bed, *arguments: str) -> str:
    """What it prints, when nothing goes wrong."""
    ended = referring(bed, *arguments)
    assert ended.returncode == DONE, ended.stderr
    return ended.stdout


def specs(text: str) -> dict[str, dict[str, Any]]:
    """The specs by the names of the functions, which are the names of the mappings in these tests."""
    return {one["metadata"]["name"]: one["spec"] for one in parsed(text)}


def at(spec: Any, place: str) -> Any:
    """A part of a spec. The items of a list are merged, because AWS answers them in any order."""
    for step in place.split("."):
        spec = {name: part for item in spec for name, part in item.items()} if step == "0" else spec[step]
    return spec


def with_value(case: Case, name: str) -> dict[str, Any]:
    """The spec that has the value of a case itself, in the place of a reference."""
    field = re.sub(r"\.\d+\.", "[].", case.place)
    *around, last = re.sub(r"\[\]", ".0", VALUE_PATHS[field]).split(".")
    spec = {"functionName": name, **_copied(case.spec)}
    part: Any = spec
    for step in around:
        part = part[int(step)] if step.isdigit() else part.setdefault(step, {})
    part[last] = case.value
    return spec


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(part) for name, part in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def make(bed: Bed, found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Mappings of another tool with these specs: the name of each function by UUID."""
    bed.control.set(pace=0)
    aws = bed.aws.client("lambda", region="eu-west-1")
    names = dict[str, str]()
    for spec in found:
        uuid = aws.create_event_source_mapping(**created(spec))["UUID"]
        bed.control.edit_mapping(uuid, LastModified=time.time() - HOUR)  # the absence of tags is certain
        names[uuid] = spec["functionName"]
    return names


def check_adopted(bed: Bed, text: str) -> None:
    """Apply what was printed. The operator adopts all mappings, and changes nothing but their tags."""
    before = as_it_is(bed)
    bed.control.reset_counts()
    apply(bed, text)
    bed.operator("--sweep-interval=1", "--requests-per-second=1000")
    wait_taken_over(bed, {one["metadata"]["name"] for one in parsed(text)})
    bed.wait_swept(2)
    assert {name: count for name, count in bed.calls().items() if name in WRITES} == {"TagResource": len(before)}
    assert as_it_is(bed) == before
    for one in parsed(text):
        found = bed.get(one["metadata"]["name"]) or {}
        assert found["spec"] == one["spec"], "the spec is never rewritten"
        if "references" in found["status"]:
            assert bed.condition(one["metadata"]["name"], "ReferencesResolved")["status"] == "True"


@pytest.mark.parametrize("form", [ACK, UPBOUND, UPBOUND_NAMESPACED])
def test_each_kind_is_referred_to_and_adopted_without_an_update(bed: Bed, form: str) -> None:
    suffix = form.partition("}")[2].partition("/")[0]
    cases = [case for case in CASES if case.group.endswith(suffix) and case.api_version != "v1"]
    assert {(case.group, case.kind) for case in cases} == {
        (row.group, row.kind) for row in KINDS if row.group.endswith(suffix)
    }
    names = dict[str, Case]()
    wanted = list[dict[str, Any]]()
    for number, case in enumerate(cases):
        name = f"f{number}-{case.kind.lower()}"
        spec = with_value(case, name)
        if case.place == "functionRef":  # another source for each, because they share a function
            spec["eventSourceARN"] = arn(f"q{number}")
        wanted.append(spec)
        names[name if case.place != "functionRef" else case.value] = case
        put(bed, case, f"{case.kind.lower()}-{bed.namespace}", allow="" if case.namespaced else bed.namespace)
    functions = make(bed, wanted)
    text = with_references(bed)
    assert uuids(parsed(text)) == functions.keys()
    for one in parsed(text):
        case = names[functions[one["spec"]["adoption"]["uuid"]]]
        found = at(one["spec"], case.place)
        assert found == reference(case, f"{case.kind.lower()}-{bed.namespace}"), case
    check_adopted(bed, text)


def test_a_kafka_cluster_of_strimzi_and_its_topics(bed: Bed) -> None:
    spec = {
        **with_value(KAFKA, "orders"),
        "topics": ["orders-v2"],
        "destinationConfig": {"onFailure": {"destination": "kafka://failed"}},
    }
    make(bed, [spec, {**spec, "functionName": "other", "topics": ["unknown"]}])
    put(bed, KAFKA, "shop")
    for name, topic, cluster in (
        ("orders", "orders-v2", "shop"),
        ("failed", "failed", "shop"),
        ("same-name", "orders-v2", "another"),
    ):
        put(bed, TOPIC, name, {"status": {"topicName": topic}})
        labels = {"metadata": {"labels": {"strimzi.io/cluster": cluster}}}
        bed.client.merge(objects_path(TOPIC, bed.namespace, name), labels)
    text = with_references(bed)
    found = specs(text)
    servers = {"bootstrapServersRef": reference(KAFKA, "shop", key="external")}
    destination = {"onFailure": {"destinationRef": reference(TOPIC, "failed")}}
    orders, other = found["orders-orders-v2"], found["other-unknown"]
    assert orders["selfManagedEventSource"] == other["selfManagedEventSource"] == servers
    assert orders["topicRef"] == reference(TOPIC, "orders")
    assert (other["topics"], "topicRef" in other) == (["unknown"], False)
    assert orders["destinationConfig"] == other["destinationConfig"] == destination
    assert sorted(SERVERS) == sorted(
        bed.mappings()[0]["SelfManagedEventSource"]["Endpoints"]["KAFKA_BOOTSTRAP_SERVERS"]
    )
    check_adopted(bed, text)


def test_a_function_and_its_queue_are_observed_and_then_adopted(bed: Bed) -> None:
    """The steps of the guides for a migration."""
    uuid = made(bed, "orders", BatchSize=7, Tags={"team": "shop"})
    put(bed, QUEUE, "orders-queue", queue_body("orders"))
    put(bed, FUNCTION, "orders-function", function_body("orders"))
    text = with_references(bed, "--management-policy=Observe")
    assert specs(text)["orders"]["functionRef"] == reference(FUNCTION, "orders-function")
    before = as_it_is(bed)
    bed.operator("--sweep-interval=1")
    apply(bed, text)
    bed.wait_ready("orders")
    bed.wait_swept(2)
    assert bed.condition("orders", "Synced")["status"] == "True"
    assert as_it_is(bed) == before
    assert not bed.calls().keys() & WRITES
    apply(bed, text.replace("  managementPolicy: Observe\n", ""))
    bed.wait_ready("orders")
    eventually(lambda: "esm-operator.io/name" in bed.mapping("orders")["Tags"], "the mapping is adopted")
    assert as_it_is(bed) == before
    assert bed.status("orders")["uuid"] == uuid
    assert bed.calls().keys() & WRITES == {"TagResource"}


def test_objects_that_are_not_referred_to_are_in_comments(bed: Bed) -> None:
    bank = f"{bed.namespace}-bank"
    create_namespace(bed.client, bank)
    for name in ("allowed", "refused", "twice", "both", "deleted"):
        made(bed, name)
    put(bed, QUEUE, "q", queue_body("allowed"), bank, allow=f"team-a, {bed.namespace}")
    put(bed, QUEUE, "r", queue_body("refused"), bank, allow="team-a")
    put(bed, QUEUE, "first", queue_body("twice"))
    put(bed, CROSSPLANE_QUEUE, "second", {"status": {"atProvider": {"arn": arn("twice")}}})
    put(bed, QUEUE, "both", queue_body("both"))
    put(bed, QUEUE, "both", queue_body("both"), bank, allow="*")
    put(bed, QUEUE, "deleted", queue_body("deleted"))
    place = objects_path(QUEUE, bed.namespace, "deleted")
    bed.client.merge(place, {"metadata": {"finalizers": ["example.com/wait"]}})
    bed.exits.callback(lambda: bed.client.merge(place, {"metadata": {"finalizers": None}}))
    delete(bed, QUEUE, "deleted")
    ended = referring(bed)
    assert ended.returncode == DONE, ended.stderr
    found = specs(ended.stdout)
    assert found["allowed"]["eventSourceRef"] == reference(QUEUE, "q", namespace=bank)
    assert found["both"]["eventSourceRef"] == reference(QUEUE, "both")
    for name in ("refused", "twice", "deleted"):
        assert found[name]["eventSourceARN"] == arn(name)
    comments = [line for line in ended.stdout.splitlines() if line.startswith("# event")]
    assert len(comments) == 3, ended.stdout
    assert any(f"the Queue {bank}/q " in line and "is not in the namespace" in line for line in comments)
    assert any(f"may not refer to the Queue {bank}/r " in line for line in comments)
    assert any(f"{bed.namespace}/first" in line and f"{bed.namespace}/second" in line for line in comments)
    assert "The manifests have 2 references." in ended.stderr
    assert "Set references.ack.enabled of its chart." in ended.stderr
    assert "Comments in 3 manifests are about references." in ended.stderr
    check_adopted(bed, ended.stdout)


def test_what_the_user_may_not_list_is_reported_once(bed: Bed) -> None:
    """A user of one namespace, and one without rights."""
    tenant, nobody = "tenant", "nobody"
    rule: role.Rule = {"apiGroups": ["sqs.services.k8s.aws"], "resources": ["queues"], "verbs": ["list"]}
    bed.client.install(role.account(tenant, bed.namespace), role.account(nobody, bed.namespace))
    bed.client.install(*role.granted(role.Role([rule], bed.namespace), tenant, tenant, bed.namespace))
    for name in ("orders", "bills"):
        made(bed, name)
        put(bed, QUEUE, name, queue_body(name))
        put(bed, FUNCTION, name, function_body(name))

    ended = referring(bed, kubeconfig=bed.plane.kubeconfig_for(bed.namespace, tenant))
    assert ended.returncode == DONE, ended.stderr
    assert {name: "eventSourceRef" in spec for name, spec in specs(ended.stdout).items()} == {
        "orders": True,
        "bills": True,
    }
    assert ended.stderr.count("You may list Queue.v1alpha1.sqs.services.k8s.aws") == 1
    assert ended.stderr.count("You may not list Function.v1alpha1.lambda.services.k8s.aws") == 1

    ended = referring(bed, kubeconfig=bed.plane.kubeconfig_for(bed.namespace, nobody))
    assert ended.returncode == DONE, ended.stderr
    assert ended.stderr.count("You may not list") == 1
    assert "The manifests have no references." in ended.stderr
    assert ended.stdout == printed(bed, f"--namespace={bed.namespace}")


def test_without_objects_the_output_is_the_same(bed: Bed) -> None:
    made(bed, "lonely", Tags={"team": "shop"})
    ended = referring(bed)
    assert ended.returncode == DONE, ended.stderr
    assert ended.stdout == printed(bed, f"--namespace={bed.namespace}")
    assert "may not list" not in ended.stderr


def test_wrong_use_is_reported_before_anything_is_read(bed: Bed, tmp_path: Path) -> None:
    made(bed, "orders")
    ended = export(bed, "--references")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--references needs --namespace" in ended.stderr
    ended = referring(bed, kubeconfig=tmp_path / "none")
    assert (ended.returncode, ended.stdout) == (FAILED, "")
    assert "No Kubernetes cluster is configured" in ended.stderr
    assert not bed.calls()


def test_a_mapping_of_a_lost_cluster_refers_to_objects_of_its_namespace(bed: Bed) -> None:
    owner = {"cluster": "old", "namespace": bed.namespace, "name": "orders", "uid": "1"}
    made(bed, "orders", Tags={f"esm-operator.io/{part}": text for part, text in owner.items()})
    made(bed, "free")
    for name in ("orders", "free"):
        put(bed, QUEUE, name, queue_body(name))
    cluster = {"HOME": str(bed.folder), "KUBECONFIG": str(bed.plane.kubeconfig)}
    ended = export(bed, "--references", "--owned", environment=cluster)
    assert ended.returncode == DONE, ended.stderr
    found = specs(ended.stdout)
    assert found["orders"]["eventSourceRef"] == reference(QUEUE, "orders")
    assert found["free"]["eventSourceARN"] == arn("free")
    assert "# There are no references, because the manifest has no namespace. Set --namespace.\n" in ended.stdout
    assert exported(bed, "--owned")
