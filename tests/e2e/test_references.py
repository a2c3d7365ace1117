"""References: the values of other objects reach AWS, follow the objects, and never harm a mapping."""

from typing import Any

import pytest

from esm_operator.api.reference_kinds import KINDS
from tests import role
from tests.bed import SWEEPS, Bed, condition_of
from tests.bed.cluster import create_namespace
from tests.e2e.manifests import HERE, mapping
from tests.e2e.referenced_objects import (
    CASES,
    CRDS,
    WIDGETS,
    case_of,
    crd_path,
    delete,
    grant,
    member_of,
    put,
    reference,
    wait_served,
    with_reference,
)
from tests.e2e.scraped import reader
from tests.waiting import eventually

QUEUE, TABLE = case_of("Queue", "sqs.services.k8s.aws"), case_of("Table", "dynamodb.services.k8s.aws")
CLUSTER_SCOPED = case_of("Queue", "sqs.aws.upbound.io")
CONFIG_MAP, WIDGET = case_of("ConfigMap", ""), case_of("Widget", "example.com")


@pytest.fixture
def bed(reference_bed: Bed) -> Bed:
    return reference_bed


def arn(name: str) -> str:
    return f"arn:aws:sqs:{HERE}:{name}"


def body(name: str) -> dict[str, Any]:
    """A queue of ACK that has this name in AWS."""
    return {"status": {"ackResourceMetadata": {"arn": arn(name)}}}


def table(created: str) -> dict[str, Any]:
    """A DynamoDB table of ACK with a stream that was created at a time."""
    stream = f"arn:aws:dynamodb:{HERE}:table/orders/stream/{created}"
    return {"status": {"ackResourceMetadata": {"arn": stream.partition("/stream")[0]}, "latestStreamARN": stream}}


def user(name: str = "orders", to: str = "orders", *, case: Any = QUEUE, namespace: str = "", **spec: Any) -> Any:
    """A resource that references an object."""
    where = {"namespace": namespace} if namespace else {}
    return mapping(name, **with_reference(case, reference(case, to, **where)), **spec)


def sources(bed: Bed) -> list[str]:
    return sorted(one["EventSourceArn"] for one in bed.mappings())


def values(bed: Bed, name: str = "orders") -> list[str]:
    """The values in the status."""
    return [one["value"] for one in bed.status(name).get("references") or ()]


def test_each_kind_gives_its_value(bed: Bed) -> None:
    assert {(row.group, row.kind) for row in KINDS} <= {(case.group, case.kind) for case in CASES}
    bed.operator()
    expected, specs = dict[str, Any](), dict[str, Any]()
    for number, case in enumerate(CASES):
        name = f"r{number}-{case.kind.lower()}-{bed.namespace}"
        put(bed, case, name, allow="" if case.namespaced else bed.namespace)
        spec = with_reference(case, reference(case, name))
        specs[name] = spec if case.place == "functionRef" else {"functionName": name, **spec}
        expected[name] = case.value
        if case.place == "functionRef":  # another function for each, because they share a queue
            specs[name]["eventSourceARN"] = arn(f"q{number}")
        bed.create(name, specs[name])
    found = {
        name: member_of(bed.mapping(bed.wait_ready(name)["metadata"]["name"]), case.member)
        for name, case in zip(expected, CASES, strict=True)
    }
    assert found == expected
    for name, case in zip(expected, CASES, strict=True):
        shown = ",".join(case.value) if isinstance(case.value, list) else case.value
        assert values(bed, name) == [shown]
        assert (bed.get(name) or {})["spec"] == specs[name], "the spec is never rewritten"
        assert bed.condition(name, "ReferencesResolved")["status"] == "True"
        assert case.api_version == "v1" or f"{case.kind}.{case.group}" in CRDS


def test_the_console_shows_the_function_of_a_reference_and_of_a_name(bed: Bed) -> None:
    bed.operator()
    function = case_of("Function", "lambda.services.k8s.aws")
    bed.apply(mapping("named", functionName="by-name", eventSourceARN=arn("named")))
    refers = reference(function, "orders")
    bed.apply(mapping("refers", functionName=None, functionRef=refers, eventSourceARN=arn("refers")))
    bed.wait_ready("named")
    bed.wait_condition("refers", "Reconciling", "True", "ReferenceNotFound")
    assert functions_shown(bed) == {"named": "by-name", "refers": ""}
    aliased = f"arn:aws:lambda:{HERE}:function:by-reference:live"
    put(bed, function, "orders", {"status": {"ackResourceMetadata": {"arn": aliased}}})
    bed.wait_ready("refers")
    assert functions_shown(bed) == {"named": "by-name", "refers": "by-reference:live"}


def functions_shown(bed: Bed) -> dict[str, str]:
    """The column FUNCTION of ``kubectl get esm``, by resource."""
    head, *lines = bed.kubectl("get", "esm").splitlines()
    begin, end = head.index("FUNCTION"), head.index("SOURCE")
    return {line.split()[0]: line[begin:end].strip() for line in lines}


def test_a_resource_waits_for_its_object_and_a_creation_costs_three_writes(bed: Bed) -> None:
    bed.operator()
    bed.apply(user())
    waiting = bed.wait_condition("orders", "Reconciling", "True", "ReferenceNotFound")
    assert 'Queue "orders"' in waiting["message"]
    put(bed, QUEUE, "orders", {"status": {}})
    bed.wait_condition("orders", "Reconciling", "True", "ReferenceNotReady")
    assert not bed.mappings()
    assert bed.condition("orders", "Ready")["status"] == "False"
    before = bed.calls()
    put(bed, QUEUE, "orders", body("orders"))
    bed.wait_ready("orders")
    assert sources(bed) == [arn("orders")]
    assert values(bed) == [arn("orders")]
    calls = bed.calls()
    assert calls["CreateEventSourceMapping"] - before.get("CreateEventSourceMapping", 0) == 1


def test_a_value_that_changes_is_an_edit(bed: Bed) -> None:
    """The function of a mapping can be changed."""
    bed.operator()
    put(bed, CONFIG_MAP, "names", {"data": {"function": "orders"}})
    to = reference(CONFIG_MAP, "names", key="function")
    bed.create("orders", {"functionRef": to, "eventSourceARN": arn("orders")})
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    put(bed, CONFIG_MAP, "names", {"data": {"function": "orders-v2"}})
    eventually(lambda: values(bed) == ["orders-v2"], "the status shows the new value")
    bed.wait_ready("orders")
    assert bed.status("orders")["uuid"] == uuid
    assert bed.mapping("orders")["FunctionArn"].endswith(":orders-v2")
    changed = bed.event("orders", "ReferenceChanged")
    assert "orders-v2" in changed
    assert "spec.functionRef" in changed


def test_a_table_that_is_created_again_follows_the_replace_policy(bed: Bed) -> None:
    bed.operator()
    old, new = table("2026-01-01T00:00:00.000"), table("2026-02-02T00:00:00.000")
    put(bed, TABLE, "orders", old)
    for name, policy in (("recreated", "Recreate"), ("kept", "Never")):
        bed.apply(user(name, case=TABLE, replacePolicy=policy))
    before = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("recreated", "kept")}
    delete(bed, TABLE, "orders")
    for name in before:
        eventually(lambda name=name: bed.condition(name, "ReferencesResolved").get("status") == "False")
        assert bed.condition(name, "Ready")["status"] == "True"
    put(bed, TABLE, "orders", new)
    eventually(lambda: values(bed, "recreated") == [new["status"]["latestStreamARN"]])
    bed.wait_ready("recreated")
    assert bed.mapping("recreated")["EventSourceArn"] == new["status"]["latestStreamARN"]
    assert bed.status("recreated")["uuid"] != before["recreated"]
    bed.wait_condition("kept", "Stalled", "True", "ImmutableFieldChanged")
    assert bed.mapping_by_uuid(before["kept"])["EventSourceArn"] == old["status"]["latestStreamARN"]
    assert len(bed.mappings()) == 2


def test_a_deleted_object_changes_nothing_in_aws(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    put(bed, QUEUE, "orders", body("orders"))
    bed.apply(user(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    delete(bed, QUEUE, "orders")
    lost = eventually(lambda: bed.condition("orders", "ReferencesResolved").get("status") == "False" or None)
    assert lost
    assert bed.condition("orders", "ReferencesResolved")["reason"] == "ReferenceNotFound"
    assert bed.condition("orders", "Ready")["status"] == "True"
    bed.patch("orders", {"batchSize": 6})  # other edits still apply
    bed.wait_ready("orders")
    assert (bed.mapping("orders")["BatchSize"], bed.status("orders")["uuid"]) == (6, uuid)
    operator.stop()
    operator.start()
    bed.wait_swept(2)
    assert sources(bed) == [arn("orders")]
    assert values(bed) == [arn("orders")]
    bed.delete("orders")
    bed.wait_gone("orders")
    eventually(lambda: not bed.mappings())


def test_a_deletion_never_waits_for_a_reference(bed: Bed) -> None:
    """Neither with a mapping nor without one, and whatever the reference lacks."""
    bed.operator()
    put(bed, QUEUE, "orders", body("orders"))
    bed.apply(user())
    bed.wait_ready("orders")
    delete(bed, QUEUE, "orders")
    bed.apply(user("none", "none"))
    bed.wait_condition("none", "Reconciling", "True", "ReferenceNotFound")
    bed.patch("orders", with_reference(QUEUE, reference(QUEUE, "none")))  # its last value is not recorded any more
    bed.wait_condition("orders", "Reconciling", "True", "ReferenceNotFound")
    for name in ("orders", "none"):
        bed.delete(name)
        bed.wait_gone(name)
    eventually(lambda: not bed.mappings(), "the mapping is deleted")


def test_a_crd_that_is_installed_later_and_removed(bed: Bed) -> None:
    bed.exits.callback(lambda: (bed.client.install(CRDS["Widget.example.com"]), wait_served(bed.client, WIDGET)))
    bed.client.delete(crd_path(WIDGET))
    eventually(lambda: bed.client.get(crd_path(WIDGET)) is None, "the CRD is gone")
    bed.operator()
    bed.apply(user(case=WIDGET))
    waiting = bed.wait_condition("orders", "Reconciling", "True", "ReferenceNotFound")
    assert "Widget" in waiting["message"]
    bed.client.install(CRDS["Widget.example.com"])
    wait_served(bed.client, WIDGET)
    put(bed, WIDGET, "orders")
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.client.delete(crd_path(WIDGET))
    eventually(lambda: bed.condition("orders", "ReferencesResolved").get("reason") == "ReferenceNotFound")
    assert bed.condition("orders", "Ready")["status"] == "True"
    assert [one["UUID"] for one in bed.mappings()] == [uuid]


@pytest.mark.parametrize("verbs", [[], ["list"], ["watch"]])
def test_a_missing_right_is_reported_and_heals(bed: Bed, verbs: list[str]) -> None:
    """The value ``outputs.enabled`` of the chart grants the right to list ConfigMaps, but not to watch them."""
    grant(bed.plane, *({**rule, "verbs": verbs} for rule in (*role.references(), WIDGETS) if verbs))
    bed.operator()
    put(bed, QUEUE, "orders", body("orders"))
    bed.apply(user(), user("other", case=WIDGET))
    waiting = bed.wait_condition("orders", "Reconciling", "True", "ReferenceForbidden")
    assert "references.ack.enabled" in waiting["message"]
    assert "additionalRules" in bed.wait_condition("other", "Reconciling", "True", "ReferenceForbidden")["message"]
    assert not bed.mappings()
    grant(bed.plane, *role.references(), WIDGETS)
    bed.wait_ready("orders")
    assert sources(bed) == [arn("orders")]


def test_another_namespace_needs_consent(bed: Bed) -> None:
    bank = f"{bed.namespace}-bank"
    create_namespace(bed.client, bank)
    bed.operator()
    put(bed, QUEUE, "orders", body("orders"), bank)
    bed.apply(user(namespace=bank))
    waiting = bed.wait_condition("orders", "Reconciling", "True", "ReferenceForbidden")
    assert "lambda.esm-operator.io/allow-references-from" in waiting["message"]
    put(bed, QUEUE, "orders", body("orders"), bank, allow=f"team-a, {bed.namespace}")
    bed.wait_ready("orders")
    put(bed, QUEUE, "orders", body("moved"), bank, allow="team-a")
    eventually(lambda: bed.condition("orders", "ReferencesResolved").get("reason") == "ReferenceForbidden")
    assert bed.condition("orders", "Ready")["status"] == "True"
    assert sources(bed) == [arn("orders")], "the last value stays, and the new one is not shown"
    bed.apply(user("second", namespace=bank))
    bed.wait_condition("second", "Reconciling", "True", "ReferenceForbidden")
    assert "moved" not in str(bed.all())


def test_a_tenant_learns_nothing_about_objects_of_others(bed: Bed) -> None:
    """The status, Events and conditions are the same for an object that exists and for one that does not."""
    bank = f"{bed.namespace}-bank"
    create_namespace(bed.client, bank)
    bed.operator()
    put(bed, QUEUE, "secret-0", body("confidential"), bank)
    put(bed, QUEUE, "secret-2", {"status": {}}, bank)
    put(bed, CLUSTER_SCOPED, f"secret-3-{bed.namespace}")
    names = ["secret-0", "secret-1", "secret-2"]
    bed.apply(*(user(name, name, namespace=bank) for name in names))
    for name in ("secret-3", "secret-4"):
        bed.apply(user(name, f"{name}-{bed.namespace}", case=CLUSTER_SCOPED))
    texts = {
        name: bed.wait_condition(name, "Ready", "False", "ReferenceForbidden")["message"]
        for name in (*names, "secret-3", "secret-4")
    }
    assert len({text.replace(name, "") for name, text in texts.items() if name in names}) == 1
    assert len({text.replace(name, "") for name, text in texts.items() if name not in names}) == 1
    assert "confidential" not in str(bed.all())
    assert "confidential" not in str(bed.list_events())
    delete(bed, QUEUE, "secret-0", bank)
    put(bed, QUEUE, "secret-1", body("confidential"), bank)
    bed.apply(user("marker"))
    bed.wait_condition("marker", "Reconciling", "True", "ReferenceNotFound")
    for name in names:
        assert bed.condition(name, "Ready")["message"] == texts[name]
    assert not bed.mappings()


def test_a_secret_is_never_read(bed: Bed) -> None:
    """Not even if somebody gives the operator the right."""
    grant(bed.plane, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]})
    bed.operator()
    bed.client.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "orders"}, "stringData": {"arn": arn("hidden")}},
        bed.namespace,
    )
    to = {"apiVersion": "v1", "kind": "Secret", "name": "orders", "fieldPath": "data.arn"}
    with pytest.raises(Exception, match="Secret"):
        bed.apply(mapping("orders", eventSourceRef=to))


def test_many_references_to_one_object_follow_its_change(bed: Bed) -> None:
    count = 300
    bed.operator("--requests-per-second=200")
    put(bed, CONFIG_MAP, "shared", {"data": {"key": f"arn:aws:kms:{HERE}:key/1"}})
    to = reference(CONFIG_MAP, "shared", key="key")
    filters = {"filters": [{"pattern": '{"a": ["b"]}'}]}
    bed.apply(
        *(mapping(f"r{n}", eventSourceARN=arn(f"r{n}"), kmsKeyRef=to, filterCriteria=filters) for n in range(count))
    )
    eventually(lambda: sum(one.get("KMSKeyArn", "").endswith("key/1") for one in bed.mappings()) == count)
    put(bed, CONFIG_MAP, "shared", {"data": {"key": f"arn:aws:kms:{HERE}:key/2"}})
    eventually(lambda: sum(one.get("KMSKeyArn", "").endswith("key/2") for one in bed.mappings()) == count)
    assert bed.calls()["UpdateEventSourceMapping"] == count


def test_a_restart_costs_no_write_and_no_call(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    put(bed, QUEUE, "orders", body("orders"))
    put(bed, QUEUE, "gone", body("gone"))
    bed.apply(user(), user("gone", "gone"))
    for name in ("orders", "gone"):
        bed.wait_ready(name)
    delete(bed, QUEUE, "gone")
    eventually(lambda: bed.condition("gone", "ReferencesResolved").get("status") == "False")
    bed.wait_swept(2)
    before = bed.versions()
    operator.stop()
    bed.control.reset_counts()
    operator.start()
    bed.wait_swept(3)
    assert bed.versions() == before
    assert bed.calls().keys() <= SWEEPS


def test_a_start_lists_the_objects_and_reads_none_alone(bed: Bed) -> None:
    count = 300
    bed.apply(*(user(f"r{n}", f"q{n}") for n in range(count)))
    read = reader(bed.operator())
    eventually(lambda: read("referenced_objects", group="sqs.services.k8s.aws", kind="Queue") == count)
    eventually(lambda: {condition_of(one, "Ready").get("reason") for one in bed.all()} == {"ReferenceNotFound"})
    assert read("kubernetes_requests_total", verb="GET", code="200") < count / 4


def test_a_restart_reconciles_each_resource_at_most_once_while_it_reads_the_objects(bed: Bed) -> None:
    function, names = case_of("Function", "lambda.services.k8s.aws"), [f"r{n}" for n in range(30)]
    operator = bed.operator("--sweep-interval=1", "--requests-per-second=200")
    for name in names:
        put(bed, QUEUE, name, body(name))
        of_function = {"ackResourceMetadata": {"arn": f"arn:aws:lambda:{HERE}:function:{name}"}}
        put(bed, function, name, {"status": of_function})
        bed.create(name, {"functionRef": reference(function, name), "eventSourceRef": reference(QUEUE, name)})
    for name in names:
        bed.wait_ready(name)
    operator.stop()
    operator.start()
    read = reader(operator)
    eventually(lambda: read("reconciles_total", result="synced") >= len(names))
    assert read("reconciles_total", result="waiting") <= len(names)


def test_an_operator_for_some_namespaces_reads_only_these(bed: Bed) -> None:
    bank = f"{bed.namespace}-bank"
    create_namespace(bed.client, bank)
    bed.operator(f"--namespaces={bed.namespace}")
    put(bed, QUEUE, "orders", body("orders"))
    put(bed, QUEUE, "orders", body("orders"), bank, allow="*")
    bed.apply(user(), user("foreign", namespace=bank))
    bed.wait_ready("orders")
    bed.wait_condition("foreign", "Stalled", "True", "ReferenceForbidden")
    assert sources(bed) == [arn("orders")]


def test_a_standby_begins_with_all_values(bed: Bed) -> None:
    first = bed.operator("--lease-duration=10", name="first", environment={"ESM_OPERATOR_LEASE_NAME": bed.namespace})
    put(bed, QUEUE, "orders", body("orders"))
    bed.apply(user())
    bed.wait_ready("orders")
    bed.operator("--lease-duration=10", name="second", environment={"ESM_OPERATOR_LEASE_NAME": bed.namespace})
    before = bed.versions()
    first.stop()
    put(bed, QUEUE, "orders", {**body("orders"), "metadata": {"labels": {"touched": "yes"}}})
    bed.apply(user("second", "orders", batchSize=3))
    bed.wait_ready("second")
    assert bed.versions()["orders"] == before["orders"]
