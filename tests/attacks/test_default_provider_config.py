"""A tenant leaves out providerConfigRef to use the account of everybody instead of the account of their namespace."""

from tests.bed import Bed
from tests.e2e.manifests import TEN_KINDS, mapping, provider_config
from tests.waiting import eventually

LABEL = "lambda.esm-operator.io/provider-config"
KAFKA = TEN_KINDS["self-managed-kafka"]


def test_the_label_of_the_namespace_decides_about_resources_without_a_reference(bed: Bed) -> None:
    bed.apply(provider_config("default", region="eu-west-1"), provider_config("bank", region="us-west-2"))
    _label(bed, "bank")
    bed.operator()
    bed.apply(mapping("ledger", **KAFKA))
    uuid = bed.wait_ready("ledger")["status"]["uuid"]
    assert [one["region"] for one in bed.mappings()] == ["us-west-2"]

    # The ProviderConfig is in use, also without a reference.
    bed.delete_config("bank")
    assert bed.config("bank") is not None

    # A new label neither moves nor doubles the mapping.
    _label(bed, "default")
    stalled = bed.wait_condition("ledger", "Stalled", "True", "TargetChanged")
    assert LABEL in stalled["message"]
    assert [(one["region"], one["UUID"]) for one in bed.mappings()] == [("us-west-2", uuid)]

    _label(bed, "bank")
    bed.wait_ready("ledger")
    bed.delete("ledger")
    bed.wait_gone("ledger")
    assert bed.mappings() == []
    eventually(lambda: bed.config("bank") is None, "the ProviderConfig is deleted")


def test_a_label_that_names_no_provider_config_has_no_fallback(bed: Bed) -> None:
    bed.apply(provider_config("default"), provider_config("shop"))
    _label(bed, "bank")
    bed.operator()
    bed.apply(mapping("ledger", **KAFKA), mapping("chosen", **KAFKA, providerConfigRef={"name": "shop"}))
    waiting = bed.wait_condition("ledger", "Reconciling", "True", "ProviderConfigNotFound")
    assert LABEL in waiting["message"]
    assert '"bank"' in waiting["message"]
    bed.wait_ready("chosen")
    assert bed.functions() == {"chosen": 1}

    bed.apply(provider_config("bank", namespaceSelector={"matchLabels": {"team": "bank"}}))
    bed.wait_condition("ledger", "Stalled", "True", "ProviderConfigForbidsNamespace")
    bed.label_namespace(team="bank")
    bed.wait_ready("ledger")


def _label(bed: Bed, config: str | None) -> None:
    """Set the label of the namespace. None removes it."""
    bed.client.merge(f"/api/v1/namespaces/{bed.namespace}", {"metadata": {"labels": {LABEL: config}}})
