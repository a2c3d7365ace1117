"""A tenant tries to use the operator's own AWS credentials, which no ProviderConfig gives to the tenant's namespace."""

from typing import Any

import pytest

from tests.bed import CONFIGS, Bed
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually

OPEN = "--operator-credentials=WithoutProviderConfig"
CLOSED = "--operator-credentials=Never"
#: A ProviderConfig `default` that refuses all namespaces without a certain label.
DENY: dict[str, Any] = provider_config("default", namespaceSelector={"matchLabels": {"uses-default": "yes"}})
#: Each way to refuse a resource, with the reason of its condition.
REFUSALS: list[tuple[dict[str, Any], str]] = [
    (DENY, "ProviderConfigForbidsNamespace"),
    (provider_config("default", allowedFunctions=["${namespace}_*"]), "NotAllowed"),
]


def test_without_a_provider_config_nobody_uses_the_credentials_of_the_operator(bed: Bed) -> None:
    """A new install, in which nobody has created a ProviderConfig yet."""
    bed.operator(CLOSED)
    bed.apply(queue())
    stalled = bed.wait_condition("orders", "Stalled", "True", "ProviderConfigRequired")
    assert "Create a ProviderConfig with the name default" in stalled["message"]
    assert bed.control.requests() == []
    assert bed.mappings() == []

    # The platform team gives the namespace an account. The ProviderConfig without roleARN is its decision.
    bed.apply(provider_config("default"))
    bed.wait_ready("orders")
    assert len(bed.mappings()) == 1


@pytest.mark.parametrize(("config", "reason"), REFUSALS, ids=lambda value: value if isinstance(value, str) else "")
def test_deleting_the_default_provider_config_serves_nobody_that_it_refused(
    bed: Bed, config: dict[str, Any], reason: str
) -> None:
    """The platform team deletes a ProviderConfig that has no mappings, such as one that was written to refuse all."""
    bed.apply(config)
    bed.operator(OPEN)
    bed.apply(queue())
    bed.wait_condition("orders", "Stalled", "True", reason)

    bed.delete_config("default")
    eventually(lambda: "refuses" in str((bed.config("default") or {}).get("status")), what="its status has the reason")
    described = bed.kubectl("describe", CONFIGS, "default")
    assert f"{bed.namespace}/orders" in described
    assert bed.condition("orders", "Stalled")["reason"] == reason
    assert bed.mappings() == []

    bed.delete("orders")
    bed.wait_gone("orders")
    eventually(lambda: bed.config("default") is None, what="the ProviderConfig is gone")
    assert bed.mappings() == []


def test_a_closed_operator_does_not_hold_a_provider_config_that_refuses(bed: Bed) -> None:
    """Without it, the resources have no ProviderConfig, so they stay refused."""
    bed.operator(CLOSED)
    bed.apply(DENY)
    bed.apply(queue())
    bed.wait_condition("orders", "Stalled", "True", "ProviderConfigForbidsNamespace")
    bed.delete_config("default")
    eventually(lambda: bed.config("default") is None, what="the ProviderConfig is gone")
    bed.wait_condition("orders", "Stalled", "True", "ProviderConfigRequired")
    assert bed.mappings() == []


def test_a_mapping_from_before_the_upgrade_is_neither_changed_nor_lost(bed: Bed) -> None:
    """A tenant edits or deletes a resource whose mapping an open operator has created."""
    opened = bed.operator(OPEN)
    bed.apply(queue("edited"), queue("deleted"))
    for name in ("edited", "deleted"):
        bed.wait_ready(name)
    opened.stop()

    bed.operator(CLOSED, name="closed")
    bed.patch("edited", {"batchSize": 5})
    bed.delete("deleted")
    for name in ("edited", "deleted"):
        stalled = bed.wait_condition(name, "Stalled", "True", "ProviderConfigRequired")
        assert "neither changes nor deletes" in stalled["message"]
    assert len(bed.mappings()) == 2
    assert bed.mapping("edited")["BatchSize"] == 10

    bed.apply(provider_config("default"))
    bed.wait_gone("deleted")
    eventually(lambda: bed.mapping("edited")["BatchSize"] == 5, what="the edit has reached AWS")
    assert len(bed.mappings()) == 1
