"""A resource is deleted while something is missing, refused or stuck: it is removed, or reports the reason."""

import re
from typing import Any

from tests.aws import FaultKind
from tests.bed import FINALIZER, WRITES, Bed
from tests.controlplane.client import path
from tests.e2e.back_off import NOT_DELAYED, RETRY_AFTER
from tests.e2e.manifests import TEN_KINDS, mapping, provider_config, queue
from tests.waiting import eventually

KAFKA: dict[str, Any] = {**TEN_KINDS["self-managed-kafka"], "providerConfigRef": {"name": "shop"}}


def test_a_deletion_without_credentials_reports_the_remedy(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue("patient"), queue("orphan"))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("patient", "orphan")}
    bed.control.fault(FaultKind.EXPIRED_TOKEN, match={"UUID": uuids["orphan"]}, retry_after=RETRY_AFTER)
    fault = bed.control.fault(FaultKind.EXPIRED_TOKEN)
    for name in ("patient", "orphan"):
        bed.delete(name)
        told = bed.wait_condition(name, "Reconciling", "True", "CredentialsRefused")
        assert "security token" in told["message"]
        assert "Give the operator valid AWS credentials" in told["message"]
        assert bed.event(name, "CredentialsRefused") == told["message"]

    bed.control.reset_counts()
    orphan(bed, "orphan")
    bed.wait_gone("orphan", limit=NOT_DELAYED)
    assert [one for one in bed.control.requests(2000) if one["members"].get("UUID") == uuids["orphan"]] == []
    assert "remains" in bed.event("orphan", "Orphaned")

    bed.control.remove_fault(fault)
    bed.wait_gone("patient")
    assert sorted(bed.functions().elements()) == ["orphan"]


def test_a_resource_is_removed_with_its_namespace(bed: Bed) -> None:
    """As the namespace controller does: the namespace is terminating, Events are refused, and then all is deleted."""
    bed.control.set_world(missing_functions=["missing"])
    bed.operator()
    names = [f"orders-{number}" for number in range(5)]
    bed.apply(*(queue(name) for name in names), queue("kept", deletionPolicy="Retain"), queue("missing"))
    for name in (*names, "kept"):
        bed.wait_ready(name)
    bed.wait_condition("missing", "Ready", "False", "FunctionNotFound")
    bed.apply(queue("made-late"))
    bed.client.delete(path("Namespace", bed.namespace))
    bed.delete_all()
    eventually(lambda: bed.all() == [], what="all resources are gone")
    assert sorted(bed.functions().elements()) == ["kept"]
    assert not any(tag.startswith("esm-operator.io/") for tag in bed.mappings()[0]["Tags"])


def test_a_resource_is_removed_after_its_function(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue("made"), queue("edited"))
    for name in ("made", "edited"):
        bed.wait_ready(name)
    bed.control.set_world(missing_functions=["made", "edited", "never"])
    bed.apply(queue("never"))
    bed.wait_condition("never", "Ready", "False", "FunctionNotFound")
    bed.patch("edited", {"functionName": "never"})
    bed.wait_condition("edited", "Ready", "False", "FunctionNotFound")
    for name in ("made", "edited", "never"):
        bed.delete(name)
    for name in ("made", "edited", "never"):
        bed.wait_gone(name)
    assert bed.mappings() == []


def test_a_resource_is_removed_if_its_mapping_no_longer_exists(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(queue("gone"), queue("going"), queue("gone-while-away"))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("gone", "going", "gone-while-away")}
    bed.control.delete_mapping(uuids["gone"])
    bed.delete("gone")
    bed.wait_gone("gone")

    bed.control.set(hold=True)
    bed.aws.client("lambda", region="eu-west-1").delete_event_source_mapping(UUID=uuids["going"])
    bed.delete("going")
    told = bed.wait_condition("going", "Reconciling", "True", "Deleting")
    assert "Deleting" in told["message"]
    bed.control.set(hold=False)
    bed.wait_gone("going")

    operator.stop()
    bed.control.delete_mapping(uuids["gone-while-away"])
    bed.delete("gone-while-away")
    operator.start()
    bed.wait_gone("gone-while-away")
    assert "CreatedAgain" not in bed.events("gone-while-away")
    assert len(bed.requests("CreateEventSourceMapping")) == 3


def test_a_deletion_that_aws_does_not_finish_is_reported(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set(hold=True)
    bed.delete("orders")
    eventually(lambda: bed.status("orders").get("state") == "Deleting")
    told = bed.wait_condition("orders", "Reconciling", "True", "Deleting")
    assert uuid in told["message"]
    found = bed.get("orders")
    assert found is not None
    assert FINALIZER in found["metadata"]["finalizers"]
    bed.annotate("orders", orphan="true")
    bed.wait_gone("orders")


def test_a_deletion_without_its_provider_config_reports_the_remedy(bed: Bed) -> None:
    bed.operator()
    bed.apply(provider_config("shop", region="eu-west-1"))
    bed.apply(mapping("patient", **KAFKA), mapping("orphan", **KAFKA), mapping("alive", **KAFKA))
    for name in ("patient", "orphan", "alive"):
        bed.wait_ready(name)
    remove_config(bed, "shop")
    told = bed.wait_condition("alive", "Reconciling", "True", "ProviderConfigNotFound")
    assert 'The ProviderConfig "shop"' in told["message"]
    assert "Create the ProviderConfig" in told["message"]
    bed.control.reset_counts()
    for name in ("patient", "orphan"):
        bed.delete(name)
        told = bed.wait_condition(name, "Reconciling", "True", "ProviderConfigNotFound")
        assert 'The ProviderConfig "shop"' in told["message"]
    orphan(bed, "orphan")
    bed.wait_gone("orphan")
    assert not bed.calls().keys() & WRITES

    bed.apply(provider_config("shop", region="eu-west-1"))
    bed.wait_gone("patient")
    bed.wait_ready("alive")
    assert sorted(bed.functions().elements()) == ["alive", "orphan"]


def test_a_deletion_with_a_moved_provider_config_reports_the_remedy(bed: Bed) -> None:
    bed.operator()
    bed.apply(provider_config("shop", region="eu-west-1"))
    bed.apply(mapping("patient", **KAFKA), mapping("orphan", **KAFKA))
    for name in ("patient", "orphan"):
        bed.wait_ready(name)
    bed.apply(provider_config("shop", region="us-west-2"))
    for name in ("patient", "orphan"):
        bed.delete(name)
        told = bed.wait_condition(name, "Stalled", "True", "TargetChanged")
        assert "region eu-west-1" in told["message"]
        assert "us-west-2" in told["message"]
        assert "Undo the change" in told["message"]
    orphan(bed, "orphan")
    bed.wait_gone("orphan")
    assert "DeleteEventSourceMapping" not in bed.calls()

    bed.apply(provider_config("shop", region="eu-west-1"))
    bed.wait_gone("patient")
    assert sorted(bed.functions().elements()) == ["orphan"]


def orphan(bed: Bed, name: str) -> None:
    """Run the command in the message of the resource."""
    messages = [one["message"] for one in bed.status(name)["conditions"] if one["type"] == "Ready"]
    command = re.search(r"kubectl (annotate esm \S+ --namespace \S+ \S+)$", messages[0])
    assert command is not None, messages
    bed.plane.kubectl(*command[1].split())


def remove_config(bed: Bed, name: str) -> None:
    """Remove the finalizers by hand."""
    bed.delete_config(name)
    bed.client.merge(path("ProviderConfig", name), {"metadata": {"finalizers": None}})
    eventually(lambda: bed.config(name) is None, "no ProviderConfig")
