"""A tenant creates no more resources than the ResourceQuota of the documentation allows."""

import json

import pytest

from tests.bed import Bed
from tests.controlplane.client import ApiError
from tests.e2e.manifests import queue
from tests.e2e.test_pages_work import manifest

QUOTA = "count/eventsourcemappings.lambda.esm-operator.io"


def test_the_api_server_refuses_more_resources_than_the_quota(bed: Bed) -> None:
    """The test counts the resources in place of kube-controller-manager, which the control plane lacks."""
    bed.kubectl("apply", "--filename=-", input=manifest("explanation/tenants.md", "kind: ResourceQuota"))
    counted = {"status": {"hard": {QUOTA: "500"}, "used": {QUOTA: "499"}}}
    patch = f"--patch={json.dumps(counted)}"
    bed.kubectl("patch", "resourcequota", "eventsourcemappings", "--subresource=status", patch)
    bed.apply(queue("last"))
    with pytest.raises(ApiError, match="exceeded quota: eventsourcemappings"):
        bed.apply(queue("refused"))
    assert [one["metadata"]["name"] for one in bed.all()] == ["last"]
