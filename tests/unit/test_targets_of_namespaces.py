"""The targets that the resources of a namespace may use: known regions, and a limited number."""

from typing import Any

import pytest

from esm_operator.adapters.botocore_regions import known_regions
from esm_operator.api.resource import Resource, parse
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.planning.target import ProviderConfigSettings, ResolvedTarget, Target, Unresolved
from esm_operator.ratelimit.target_limiter import TargetLimiter
from esm_operator.status.rendering import message_of
from esm_operator.status.subject import Subject

OPERATOR = ProviderConfigSettings("(operator)", region="eu-west-1")
HERE = "eu-west-1:123456789012"
REGIONS = sorted(known_regions())


def resource(name: str, spec: dict[str, Any], *, namespace: str = "shop", arn: str = "") -> Resource:
    meta = {"namespace": namespace, "name": name, "uid": name, "resourceVersion": "1"}
    status = {"uuid": "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9", "arn": arn} if arn else {}
    return parse({"metadata": meta, "spec": spec, "status": status})


def in_region(region: str, *, namespace: str = "shop", mapped: str = "") -> Resource:
    """A resource in a region. ``mapped``: the region of the mapping in its status."""
    arn = f"arn:aws:lambda:{mapped}:123456789012:event-source-mapping:1" if mapped else ""
    return resource(f"{namespace}-{region}", {"region": region}, namespace=namespace, arn=arn)


def cache(*, per_namespace: int = 3, total: int = 100, more_regions: tuple[str, ...] = ()) -> ConfigCache:
    limiter = TargetLimiter[str, Target](per_namespace, total)
    return ConfigCache(OPERATOR, own_credentials=True, labels_known=False, more_regions=more_regions, limiter=limiter)


def config(region: str) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "uid": "1", "resourceVersion": "1"}, "spec": {"region": region}}


def reason(found: ResolvedTarget | Unresolved) -> str:
    return found.reason if isinstance(found, Unresolved) else ""


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"region": "eu-wst-1"}, "spec.region"),
        ({"eventSourceARN": "arn:aws:sqs:eu-wst-1:123456789012:orders"}, "spec.eventSourceARN"),
        ({"providerConfigRef": {"name": "shop"}}, 'spec.region of the ProviderConfig "shop"'),
        ({}, "the operator's --region"),
    ],
)
def test_an_unknown_region_is_refused_with_the_field_that_has_it(spec: dict[str, Any], field: str) -> None:
    config_cache = ConfigCache(
        ProviderConfigSettings("(operator)", region="eu-wst-1"), own_credentials=True, labels_known=False
    )
    config_cache.put_config(config("eu-wst-1"))
    orders = resource("orders", spec)
    found = config_cache.resolve(orders)
    assert isinstance(found, Unresolved)
    assert found.reason == "RegionUnknown"
    text = message_of(found, Subject.of(orders))
    assert f"The region comes from {field}." in text
    assert "--more-regions=eu-wst-1" in text
    assert config_cache.targets([orders]) == set()
    assert config_cache.unknown_regions("shop") == ["eu-wst-1"]


def test_a_region_that_the_operator_names_is_known() -> None:
    assert reason(cache(more_regions=("eu-new-1",)).resolve(in_region("eu-new-1"))) == ""


def test_an_unknown_region_of_the_operator_is_not_connected_for_the_first_resource() -> None:
    assert (
        ConfigCache(
            ProviderConfigSettings("(operator)", region="eu-wst-1"), own_credentials=True, labels_known=False
        ).targets([])
        == set()
    )


def test_a_namespace_has_no_more_targets_than_its_limit() -> None:
    config_cache = cache()
    resources = [in_region(region) for region in REGIONS[:4]]
    assert [reason(config_cache.resolve(one)) for one in resources] == ["", "", "", "TooManyTargets"]
    assert {one.region for one in config_cache.targets(resources)} == set(REGIONS[:3])
    text = message_of(config_cache.resolve(resources[3]))  # pyright: ignore[reportArgumentType]
    assert 'The namespace "shop" uses 3 targets already' in text
    assert REGIONS[3] in text
    assert reason(config_cache.resolve(in_region(REGIONS[3], namespace="bank"))) == ""


def test_a_refused_resource_gets_its_target_when_another_is_released() -> None:
    config_cache = cache()
    resources = [in_region(region) for region in REGIONS[:4]]
    for one in resources:
        config_cache.resolve(one)
    assert config_cache.has_refused
    assert config_cache.take_admitted() == set()
    assert {one.region for one in config_cache.targets(resources[1:])} == set(REGIONS[1:4])
    assert config_cache.take_admitted() == {resources[3].key}
    assert not config_cache.has_refused
    assert config_cache.take_admitted() == set()


def test_a_target_makes_room_only_when_its_connection_is_closed() -> None:
    config_cache = cache()
    resources = [in_region(region) for region in REGIONS[:4]]
    config_cache.targets(resources[:3])
    connected = {Target(region) for region in REGIONS[:3]}
    assert len(config_cache.targets(resources[1:], connected)) == 2
    assert len(config_cache.targets(resources[1:], connected - {Target(REGIONS[0])})) == 3


def test_a_namespace_that_fills_the_total_leaves_others_their_first_target() -> None:
    config_cache = cache(per_namespace=100, total=4)
    config_cache.targets([in_region(region) for region in REGIONS])
    bank = [in_region(region, namespace="bank") for region in REGIONS]
    refused = [reason(config_cache.resolve(one)) for one in bank]
    assert refused[0] == ""
    assert "TooManyTargets" in refused
    text = message_of(config_cache.resolve(bank[-1]))  # pyright: ignore[reportArgumentType]
    assert "--max-targets" in text


def test_targets_with_mappings_come_first_and_have_a_higher_limit() -> None:
    """A restart with a lower limit harms no mapping. A status of a mapping elsewhere counts for nothing."""
    config_cache = cache(per_namespace=2)
    new = [in_region(region) for region in REGIONS[:4]]
    mapped = [in_region(region, mapped=region) for region in REGIONS[4:7]]
    moved = [in_region(region, mapped="eu-west-1") for region in REGIONS[7:9] if region != "eu-west-1"]
    assert {one.region for one in config_cache.targets([*new, *moved, *mapped])} == set(REGIONS[4:7])


@pytest.mark.parametrize("restarted", [False, True])
def test_forged_statuses_admit_no_more_than_twice_the_limit(restarted: bool) -> None:
    config_cache = cache(per_namespace=3)
    forged = [in_region(region, mapped=region) for region in REGIONS]
    if restarted:
        config_cache.targets(forged)
    admitted = [one for one in forged if not reason(config_cache.resolve(one))]
    assert len(admitted) == 6
    assert len(config_cache.targets(forged)) == 6


def test_a_role_that_changes_again_and_again_uses_a_limited_number_of_targets() -> None:
    config_cache, connected = cache(per_namespace=20, total=4), set[Target]()
    orders = resource(
        "orders", {"providerConfigRef": {"name": "shop"}}, arn=f"arn:aws:lambda:{HERE}:event-source-mapping:1"
    )
    for number in range(60):
        body = config("eu-west-1")
        body["spec"]["roleARN"] = f"arn:aws:iam::123456789012:role/r{number}"
        body["metadata"]["resourceVersion"] = str(number)
        config_cache.put_config(body)
        config_cache.resolve(orders)
        connected |= config_cache.targets([orders], connected)
    assert len(connected) == 8
    assert reason(config_cache.resolve(orders)) == "TooManyTargets"
    config_cache.targets([orders], set())
    assert reason(config_cache.resolve(orders)) == ""


def test_a_resource_that_is_gone_is_not_reconciled_again() -> None:
    config_cache = cache(per_namespace=1)
    first, second = (in_region(region) for region in REGIONS[:2])
    assert [reason(config_cache.resolve(one)) for one in (first, second)] == ["", "TooManyTargets"]
    config_cache.targets([first])
    config_cache.targets([])
    assert not config_cache.has_refused
    assert config_cache.take_admitted() == set()
