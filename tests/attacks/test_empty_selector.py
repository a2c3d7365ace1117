"""A tenant uses a ProviderConfig whose namespaceSelector is empty, perhaps because of a misspelt key."""

from copy import deepcopy
from typing import Any

import pytest

from tests.bed import CONFIGS, Bed, Resources
from tests.bed.cluster import crds
from tests.controlplane.client import ApiError, KubernetesClient, path
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually

REMEDY = "To admit all namespaces, remove namespaceSelector."


@pytest.mark.parametrize(
    "selector", [{}, {"matchLabels": {}}, {"matchExpressions": []}, {"matchLabels": {}, "matchExpressions": []}]
)
def test_an_empty_selector_is_refused_at_apply(bed: Bed, selector: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match=REMEDY):
        bed.apply(provider_config("bank", namespaceSelector=selector))


def test_a_misspelt_selector_is_refused_by_a_server_that_prunes_it(bed: Bed) -> None:
    """A client without strict validation sends the key, and the API server removes it before it checks the rules."""
    misspelt = provider_config("bank", namespaceSelector={"matchLabel": {"team": "bank"}})
    with pytest.raises(ApiError, match=REMEDY):
        bed.client.request("POST", f"{path('ProviderConfig')}?fieldValidation=Ignore", misspelt)


@pytest.fixture
def bed_with_stored(bed: Bed) -> Bed:
    """A bed with a ProviderConfig `bank` from before the rule."""
    crd = deepcopy(next(one for one in crds() if one["metadata"]["name"] == CONFIGS))
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["namespaceSelector"].pop("x-kubernetes-validations", None)
    bed.client.install(crd)
    try:
        eventually(lambda: _is_accepted(bed, provider_config("bank", namespaceSelector={})), "the older CRD")
    finally:
        bed.client.install(*crds())
    eventually(lambda: not _is_accepted(bed, provider_config("other", namespaceSelector={})), "the CRD")
    return bed


def test_a_stored_empty_selector_admits_no_namespace(bed_with_stored: Bed) -> None:
    bed = bed_with_stored
    bed.operator()
    bed.apply(queue(providerConfigRef={"name": "bank"}))
    stalled = bed.wait_condition("orders", "Stalled", "True", "ProviderConfigForbidsNamespace")
    assert "spec.namespaceSelector is empty" in stalled["message"]
    assert bed.mappings() == []

    bed.client.merge(path("ProviderConfig", "bank"), {"spec": {"namespaceSelector": None}})
    bed.wait_ready("orders")


def _is_accepted(bed: Resources, manifest: dict[str, Any]) -> bool:
    client: KubernetesClient = bed.client
    dry = "" if manifest["metadata"]["name"] == "bank" else "?dryRun=All"
    try:
        client.request("POST", f"{path('ProviderConfig')}{dry}", manifest)
    except ApiError as error:
        if error.status == 422:
            return False
        raise
    return True
