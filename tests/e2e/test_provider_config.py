"""ProviderConfigs: the target and the default tags of mappings, and the namespaces that may use them."""

from typing import Any

from tests.aws import AwsServer, FaultKind, Settings
from tests.bed import Bed
from tests.e2e.manifests import TEN_KINDS, mapping, provider_config, queue
from tests.waiting import eventually

FROM_CONFIG: dict[str, Any] = {"providerConfigRef": {"name": "shop"}}


def test_region_and_endpoint_of_a_provider_config(bed: Bed) -> None:
    bed.operator()
    bed.compares_log = False  # the mapping is on another AWS server
    with AwsServer(Settings(pace=0, quota=0, tagging_quota=0)) as elsewhere:
        bed.apply(
            provider_config("shop", region="us-west-2", endpointURL=elsewhere.endpoint, defaultTags={"team": "shop"})
        )
        bed.apply(mapping("kafka", **TEN_KINDS["self-managed-kafka"], **FROM_CONFIG))
        ready = bed.wait_ready("kafka")
        assert ready["status"]["arn"].startswith("arn:aws:lambda:us-west-2:")
        assert ready["status"]["tagsAll"]["team"] == "shop"
        assert [one["region"] for one in elsewhere.control.mappings()] == ["us-west-2"]
        assert bed.mappings() == []


def test_a_missing_provider_config_is_reported_until_it_exists(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(**FROM_CONFIG))
    stalled = bed.wait_condition("orders", "Reconciling", "True", "ProviderConfigNotFound")
    assert 'The ProviderConfig "shop"' in stalled["message"]
    assert bed.mappings() == []

    bed.apply(provider_config("shop"))
    bed.wait_ready("orders")


def test_a_namespace_is_refused_until_it_has_the_label(bed: Bed) -> None:
    bed.apply(provider_config("default", namespaceSelector={"matchLabels": {"shop": "yes"}}))
    bed.operator()
    bed.apply(queue())
    stalled = bed.wait_condition("orders", "Stalled", "True", "ProviderConfigForbidsNamespace")
    assert bed.namespace in stalled["message"]
    assert bed.mappings() == []

    bed.label_namespace(shop="yes")
    bed.wait_ready("orders")


def test_a_change_of_the_target_does_not_move_the_mapping(bed: Bed) -> None:
    bed.operator()
    bed.apply(provider_config("shop", region="eu-west-1"))
    bed.apply(mapping("kafka", **TEN_KINDS["self-managed-kafka"], **FROM_CONFIG))
    uuid = bed.wait_ready("kafka")["status"]["uuid"]
    bed.control.reset_counts()

    bed.apply(provider_config("shop", region="us-west-2"))
    stalled = bed.wait_condition("kafka", "Stalled", "True", "TargetChanged")
    assert "us-west-2" in stalled["message"]
    assert [one for one in bed.control.requests() if one["region"] == "us-west-2" and _writes(one)] == []
    assert [one["region"] for one in bed.mappings()] == ["eu-west-1"]

    bed.apply(provider_config("shop", region="eu-west-1"))
    assert bed.wait_ready("kafka")["status"]["uuid"] == uuid
    eventually(lambda: bed.condition("kafka", "Stalled").get("status") == "False")


def test_a_role_in_another_account_creates_mappings_there(bed: Bed) -> None:
    bed.operator()
    bed.apply(provider_config("shop"))
    bed.apply(queue(batchSize=5, **FROM_CONFIG))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.apply(provider_config("shop", roleARN="arn:aws:iam::222222222222:role/shop"))
    stalled = bed.wait_condition("orders", "Stalled", "True", "TargetChanged")
    assert "account 123456789012" in stalled["message"]
    assert "account 222222222222" in stalled["message"]
    bed.patch("orders", {"batchSize": 6})
    bed.wait_condition("orders", "Stalled", "True", "TargetChanged")
    assert [one for one in bed.control.requests() if one["account"] == "222222222222" and _writes(one)] == []
    assert bed.mapping("orders")["BatchSize"] == 5

    bed.apply(provider_config("shop"))
    assert bed.wait_ready("orders")["status"]["uuid"] == uuid
    assert bed.mapping("orders")["BatchSize"] == 6


def test_a_role_that_cannot_be_assumed_is_reported(bed: Bed) -> None:
    fault = bed.control.fault(FaultKind.ACCESS_DENIED, "AssumeRole")
    bed.operator()
    bed.apply(provider_config("shop", roleARN="arn:aws:iam::222222222222:role/shop"))
    bed.apply(queue("orders", eventSourceARN="arn:aws:sqs:eu-west-1:222222222222:orders", **FROM_CONFIG))
    told = bed.wait_condition("orders", "Ready", "False", "RoleNotAssumable")
    assert "spec.roleARN" in told["message"]
    assert "trust policy" in told["message"]
    bed.control.remove_fault(fault)
    bed.wait_ready("orders")
    assert [one["account"] for one in bed.mappings()] == ["222222222222"]


def test_a_new_default_provider_config_does_not_move_existing_mappings(bed: Bed) -> None:
    """Existing mappings remain where they are, and new ones are created in its target."""
    bed.control.set_world(missing_functions=["refused"])
    kafka = TEN_KINDS["self-managed-kafka"]
    bed.operator()
    bed.apply(mapping("made", **kafka), mapping("refused", **kafka), queue("pinned"))
    uuid = bed.wait_ready("made")["status"]["uuid"]
    bed.wait_ready("pinned")
    bed.wait_condition("refused", "Ready", "False", "FunctionNotFound")
    bed.apply(provider_config("default", region="us-west-2"))
    for name in ("made", "refused"):
        stalled = bed.wait_condition(name, "Stalled", "True", "TargetChanged")
        assert "region us-west-2" in stalled["message"]
    bed.apply(mapping("new", **kafka))
    bed.wait_ready("new")
    bed.patch("pinned", {"batchSize": 5})
    bed.wait_ready("pinned")  # its region is that of its queue
    assert {name: bed.mapping(name)["region"] for name in ("made", "new", "pinned")} == {
        "made": "eu-west-1",
        "new": "us-west-2",
        "pinned": "eu-west-1",
    }
    bed.delete_config("default")
    bed.delete("new")
    bed.wait_gone("new")  # until then it holds the ProviderConfig
    assert bed.wait_ready("made")["status"]["uuid"] == uuid
    assert len(bed.mappings()) == 2


def _writes(request: dict[str, str]) -> bool:
    return request["operation"] not in ("GetCallerIdentity", "ListEventSourceMappings")
