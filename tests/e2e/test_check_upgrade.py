"""``esm-operator check-upgrade`` lists what the stricter defaults affect, and sends nothing to AWS."""

import json
import subprocess
from typing import Any

from tests.bed import Bed, Resources
from tests.bed.cluster import create_namespace
from tests.e2e.commands import run_command
from tests.e2e.manifests import provider_config, queue

NOBODY, SOMEBODY = 0, 3
UUID = "3f4a5b6c-0000-4000-8000-000000000001"
CONSENT = "lambda.esm-operator.io/allow-takeover-by"


def check(bed: Bed, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = {"HOME": str(bed.plane.kubeconfig.parent), "KUBECONFIG": str(bed.plane.kubeconfig)}
    return run_command(bed, "check-upgrade", *arguments, environment=home)


def found(bed: Bed) -> set[tuple[str, str]]:
    """Each change with the name of an object that it affects."""
    ended = check(bed, "--output=json")
    assert ended.returncode in (NOBODY, SOMEBODY), ended.stderr
    return {(one["change"], one["object"].removeprefix(f"{bed.namespace}/")) for one in json.loads(ended.stdout)}


def adopting(name: str, **adoption: Any) -> dict[str, Any]:
    return queue(name, adoption={"policy": "Required", **adoption})


def test_it_lists_who_is_affected_and_how_to_prepare(bed: Bed) -> None:
    other = Resources(bed.client, f"{bed.namespace}-other")
    create_namespace(bed.client, other.namespace)
    bed.exits.callback(other.clear)
    other.apply(queue("victim"))
    other.write_status("victim", {"uuid": UUID})
    bed.apply(
        queue("plain"),
        adopting("takes", uuid=UUID, takeOverFrom=f"default/{other.namespace}/victim"),
        adopting("moves", uuid=UUID, takeOverFrom=f"green/{bed.namespace}/moves"),
        adopting("renamed", uuid=UUID, takeOverFrom=f"default/{bed.namespace}/plain"),
        {**adopting("looks", uuid=UUID)},
        queue("lost", eventSourceARN="arn:aws:sqs:xx-dead-1:123456789012:lost"),
    )
    bed.client.merge(bed.resource_path("looks"), {"spec": {"managementPolicy": "Observe"}})
    ended = check(bed)
    assert ended.returncode == SOMEBODY
    assert "ProviderConfigRequired (7)" in ended.stdout
    assert "--operator-credentials=WithoutProviderConfig" in ended.stdout

    # The platform team creates a ProviderConfig, and the owners of the other mappings consent.
    bed.apply(provider_config("default"))
    assert found(bed) == {
        ("TakeoverNeedsConsent", "takes"),
        ("TakeoverNeedsConsent", "moves"),
        ("ObserveNeedsAccess", "looks"),
        ("RegionUnknown", "lost"),
    }
    other.mark("victim", {CONSENT: f"{bed.namespace}/takes, {bed.namespace}/looks"})
    bed.delete("lost")
    bed.delete("moves")
    assert found(bed) == set()
    ended = check(bed)
    assert (ended.returncode, ended.stdout) == (NOBODY, "The checks found no affected resource or ProviderConfig.\n")
    assert bed.control.requests() == []


def test_a_cluster_without_the_crds_is_an_error(bed: Bed) -> None:
    """An error is no proof that nobody is affected."""
    environment = {"HOME": str(bed.folder), "KUBECONFIG": str(bed.folder / "none")}
    ended = run_command(bed, "check-upgrade", environment=environment)
    assert ended.returncode == 1
    assert "Set KUBECONFIG" in ended.stderr
