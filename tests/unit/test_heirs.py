"""Which resource takes over the mapping of a resource that is deleted, and which resource it names."""

from typing import Any

import pytest

from esm_operator.api.annotations import ALLOW_TAKEOVER_BY
from esm_operator.api.resource import Resource, parse
from esm_operator.cluster.resource_cache import ResourceCache

UUID = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
OTHER_UUID = UUID.replace("1b", "2b")
SPEC = {"functionName": "orders", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders"}
TAKE_OVER = {"policy": "IfExists", "takeOverFrom": "shop/old"}


def resource(
    name: str, *, namespace: str = "shop", uuid: str = "", created: str = "2026-01-01T00:00:00Z", **more: Any
) -> Resource:
    meta = {"namespace": namespace, "name": name, "uid": f"{namespace}-{name}", "resourceVersion": "1"}
    spec = {**SPEC, **more.pop("spec", {})}
    status = {"uuid": uuid} if uuid else {}
    return parse({"metadata": {**meta, "creationTimestamp": created, **more}, "spec": spec, "status": status})


def heir(*others: Resource, **old: Any) -> str:
    """The heir of the resource shop/old."""
    cache, former = ResourceCache(), resource("old", uuid=UUID, deletionTimestamp="2026-06-01T00:00:00Z", **old)
    for one in (former, *others):
        cache.put(one)
    return name_of(cache.heir_of(former, "blue"))


def name_of(one: Resource | None) -> str:
    return str(one.key) if one is not None else ""


def taker(**adoption: Any) -> Resource:
    return resource("new", spec={"adoption": {**TAKE_OVER, **adoption}})


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (taker(), "shop/new"),
        (taker(takeOverFrom="blue/shop/old"), "shop/new"),
        (taker(uuid=UUID), "shop/new"),
        (taker(policy="Required"), "shop/new"),
        (taker(takeOverFrom="green/shop/old"), ""),
        (taker(takeOverFrom="shop/older"), ""),
        (taker(uuid=OTHER_UUID), ""),
        (taker(policy="Never"), ""),
        (resource("new", spec={"adoption": {"policy": "IfExists"}}), ""),
        (resource("new", uuid=OTHER_UUID, spec={"adoption": TAKE_OVER}), ""),
        (resource("new", spec={"adoption": TAKE_OVER, "managementPolicy": "Observe"}), ""),
        (resource("new", spec={"adoption": TAKE_OVER}, deletionTimestamp="2026-06-01T00:00:00Z"), ""),
        (resource("new", namespace="bank", spec={"adoption": TAKE_OVER}), ""),
    ],
)
def test_a_resource_that_names_another_one_and_has_no_mapping_is_its_heir(other: Resource, found: str) -> None:
    assert heir(other) == found


def test_an_heir_in_another_namespace_needs_consent() -> None:
    other = resource("new", namespace="bank", spec={"adoption": TAKE_OVER})
    assert heir(other, annotations={ALLOW_TAKEOVER_BY: "bank/new"}) == "bank/new"
    assert heir(other, annotations={ALLOW_TAKEOVER_BY: "bank/other"}) == ""


@pytest.mark.parametrize("named", ["shop/old", "shop/shop/old"])
def test_a_namespace_may_have_the_name_of_the_cluster(named: str) -> None:
    """The namespace ``default`` and the default of ``--cluster-name`` are such names."""
    cache = ResourceCache()
    former, new = resource("old", uuid=UUID), taker(takeOverFrom=named)
    cache.put(former)
    cache.put(new)
    assert name_of(cache.heir_of(former, "shop")) == "shop/new"
    assert cache.predecessor(new, "shop") == former
    assert new.spec.adoption.takes_over_from("shop", "shop/shop/old")
    assert not new.spec.adoption.takes_over_from("shop", "shop/old")


def test_the_oldest_of_several_heirs_counts() -> None:
    older = resource("z", created="2026-01-01T00:00:00Z", spec={"adoption": TAKE_OVER})
    younger = resource("a", created="2026-02-01T00:00:00Z", spec={"adoption": TAKE_OVER})
    assert heir(younger, older) == "shop/z"


def test_an_heir_that_is_edited_or_deleted_is_not_one_any_more() -> None:
    cache, former = ResourceCache(), resource("old", uuid=UUID)
    new = taker()
    cache.put(former)
    cache.put(new)
    cache.put(resource("new", resourceVersion="2"))
    assert name_of(cache.heir_of(former, "blue")) == ""
    cache.put(resource("new", resourceVersion="3", spec={"adoption": TAKE_OVER}))
    assert name_of(cache.heir_of(former, "blue")) == "shop/new"
    cache.forget(new.key)
    assert name_of(cache.heir_of(former, "blue")) == ""


@pytest.mark.parametrize(
    ("namespace", "named", "consent", "known"),
    [
        ("shop", "shop/old", "", True),
        ("shop", "blue/shop/old", "", True),
        ("shop", "green/shop/old", "", False),
        ("shop", "shop/older", "", False),
        ("bank", "shop/old", "", False),
        ("bank", "shop/old", "bank/new", True),
    ],
)
def test_the_predecessor_is_known_only_with_access(namespace: str, named: str, consent: str, *, known: bool) -> None:
    cache = ResourceCache()
    former = resource("old", uuid=UUID, annotations={ALLOW_TAKEOVER_BY: consent} if consent else {})
    new = resource("new", namespace=namespace, spec={"adoption": {**TAKE_OVER, "takeOverFrom": named}})
    cache.put(former)
    cache.put(new)
    assert cache.predecessor(new, "blue") == (former if known else None)
