"""``spec.outputs``: a ConfigMap with the UUID, the ARNs and the state of the mapping, on a real API server."""

from typing import Any

import pytest

from tests import role
from tests.bed import Bed
from tests.controlplane.client import path
from tests.e2e.manifests import HERE, queue
from tests.waiting import eventually

KEYS = ("uuid", "arn", "functionARN", "state")


@pytest.fixture
def permitted(bed: Bed) -> Bed:
    """A bed whose operators have the right that the chart grants with ``outputs.enabled``."""
    allow(bed)
    return bed


def allow(bed: Bed) -> None:
    for one in role.granted(role.Role(role.rules("outputs")), f"outputs-{bed.namespace}", role.NAME):
        bed.client.install(one)
        bed.exits.callback(bed.client.delete, path(one["kind"], one["metadata"]["name"]))
    kubectl = ("--kubeconfig", str(bed.kubeconfig), "auth", "can-i", "delete", "configmaps")
    eventually(lambda: bed.kubectl(*kubectl, check=False).strip() == "yes", "the right has taken effect")


def with_outputs(name: str = "orders", config_map: str = "out", **spec: Any) -> dict[str, Any]:
    return queue(name, outputs={"configMapName": config_map}, **spec)


def config_map(bed: Bed, name: str = "out") -> dict[str, Any] | None:
    return bed.client.get(path("ConfigMap", name, bed.namespace))


def data(bed: Bed, name: str = "out") -> dict[str, str]:
    return (config_map(bed, name) or {}).get("data", {})


def expected(bed: Bed, name: str = "orders") -> dict[str, str]:
    status = bed.status(name)
    return {key: status[key] for key in KEYS}


def version(bed: Bed, name: str = "out") -> str:
    found = config_map(bed, name)
    assert found is not None
    return found["metadata"]["resourceVersion"]


def test_the_values_appear_and_follow_the_mapping(permitted: Bed) -> None:
    bed = permitted
    operator = bed.operator("--sweep-interval=1")
    bed.apply(with_outputs())
    ready = bed.wait_ready("orders")
    assert data(bed) == expected(bed)
    assert ready["status"]["outputs"] == {"configMapName": "out"}
    found = config_map(bed)
    assert found is not None
    (owner,) = found["metadata"]["ownerReferences"]
    uid = ready["metadata"]["uid"]
    assert owner == {
        "apiVersion": "lambda.esm-operator.io/v1",
        "kind": "EventSourceMapping",
        "name": "orders",
        "uid": uid,
        "controller": True,
    }
    assert found["metadata"]["labels"]["lambda.esm-operator.io/outputs-of"] == uid
    assert bed.calls()["CreateEventSourceMapping"] == 1

    bed.patch("orders", {"functionName": "orders:live"})
    eventually(lambda: data(bed)["functionARN"].endswith(":function:orders:live"))
    bed.patch("orders", {"enabled": False})
    eventually(lambda: data(bed)["state"] == "Disabled")
    bed.wait_ready("orders")
    assert data(bed) == expected(bed)

    before, kept = bed.versions(), version(bed)
    operator.stop()
    operator.start()
    bed.wait_swept(3)
    assert (bed.versions(), version(bed)) == (before, kept), "a restart writes nothing"


def test_a_config_map_that_exists_is_not_changed(permitted: Bed) -> None:
    bed = permitted
    bed.operator("--sweep-interval=1")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "out"}, "data": {"theirs": "1"}}
    bed.client.install({**body, "metadata": {"name": "out", "namespace": bed.namespace}})
    before = version(bed)
    bed.apply(with_outputs())
    stalled = bed.wait_condition("orders", "Stalled", "True", "OutputsConflict")
    assert '"out"' in stalled["message"]
    assert bed.condition("orders", "Ready")["status"] == "False"
    assert bed.condition("orders", "Synced")["status"] == "True"
    assert bed.mapping("orders")["State"] == "Enabled"
    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7, "the mapping is managed")
    assert (version(bed), data(bed)) == (before, {"theirs": "1"})

    bed.client.delete(path("ConfigMap", "out", bed.namespace))
    bed.annotate("orders", **{"reconcile-at": "now"})
    bed.wait_ready("orders")
    assert data(bed) == expected(bed)


def test_the_first_of_two_resources_has_the_config_map(permitted: Bed) -> None:
    bed = permitted
    bed.operator("--sweep-interval=1")
    bed.apply(with_outputs())
    bed.wait_ready("orders")
    bed.apply(with_outputs("returns"))
    stalled = bed.wait_condition("returns", "Stalled", "True", "OutputsConflict")
    assert "EventSourceMapping orders" in stalled["message"]
    assert data(bed) == expected(bed)
    bed.patch("returns", {"outputs": {"configMapName": "out-2"}})
    bed.wait_ready("returns")
    assert data(bed, "out-2") == expected(bed, "returns")


def test_another_name_removes_the_former_config_map(permitted: Bed) -> None:
    bed = permitted
    bed.operator("--sweep-interval=1")
    bed.apply(with_outputs())
    bed.wait_ready("orders")
    bed.patch("orders", {"outputs": {"configMapName": "other"}})
    eventually(lambda: data(bed, "other") == expected(bed))
    assert config_map(bed) is None
    bed.patch("orders", {"outputs": None})
    eventually(lambda: config_map(bed, "other") is None)
    eventually(lambda: "outputs" not in bed.status("orders"))
    bed.wait_ready("orders")


@pytest.mark.parametrize("change", ["deleted", "changed"])
def test_a_config_map_that_somebody_has_changed_is_corrected(permitted: Bed, change: str) -> None:
    """By the comparison at the start, or if a person requests it. After that, the operator compares at intervals."""
    bed = permitted
    operator = bed.operator("--sweep-interval=1")
    bed.apply(with_outputs())
    bed.wait_ready("orders")

    def spoil() -> None:
        where = path("ConfigMap", "out", bed.namespace)
        if change == "deleted":
            bed.client.delete(where)
        else:
            bed.client.merge(where, {"data": {"uuid": "forged", "more": "1"}})

    spoil()
    bed.annotate("orders", **{"reconcile-at": "now"})
    eventually(lambda: data(bed) == expected(bed))
    operator.stop()
    spoil()
    operator.start()
    eventually(lambda: data(bed) == expected(bed))


def test_a_missing_right_is_reported_with_the_value_of_the_chart(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(with_outputs(), queue("returns"))
    bed.wait_ready("returns")
    stalled = bed.wait_condition("orders", "Stalled", "True", "OutputsForbidden")
    assert 'cannot get resource "configmaps"' in stalled["message"]
    assert "outputs.enabled" in stalled["message"]
    assert bed.condition("orders", "Synced")["status"] == "True"
    assert bed.mapping("orders")["State"] == "Enabled"
    eventually(lambda: bed.events("orders").get("OutputsForbidden") == stalled["message"])
    allow(bed)
    operator.stop()
    operator.start()
    bed.wait_ready("orders")
    assert data(bed) == expected(bed)


def test_an_observed_mapping_has_outputs(permitted: Bed) -> None:
    bed = permitted
    made = bed.control.make_mapping(
        FunctionName="orders", EventSourceArn=f"arn:aws:sqs:{HERE}:orders", region="eu-west-1"
    )
    bed.operator("--sweep-interval=1")
    bed.apply(with_outputs(managementPolicy="Observe"))
    bed.wait_ready("orders")
    assert data(bed)["uuid"] == made["UUID"]
