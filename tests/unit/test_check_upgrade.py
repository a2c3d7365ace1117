"""Who is affected by an upgrade: a table of objects for each change."""

from typing import Any

import pytest

from esm_operator.commands.check_upgrade import Snapshot, check

UUID = "3f4a5b6c-0000-4000-8000-000000000001"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
CONSENT = "lambda.esm-operator.io/allow-takeover-by"
BY_LABEL = {"matchLabels": {"team": "shop"}}


def resource(
    name: str,
    *,
    namespace: str = "shop",
    uuid: str = "",
    consent: str = "",
    cluster: str = "",
    owner: str = "",
    **spec: Any,
) -> dict[str, Any]:
    """A resource. With a cluster, its status has owner tags of this cluster, of itself or of another owner."""
    whose, _, other = owner.partition("/")
    tags_of = {"namespace": whose or namespace, "name": other or name, "uid": other or name, "cluster": cluster}
    tags = {f"esm-operator.io/{key}": value for key, value in tags_of.items()} if cluster else {}
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": name,
            "resourceVersion": "1",
            "annotations": {CONSENT: consent} if consent else {},
        },
        "spec": {"functionName": "f", "eventSourceARN": QUEUE, **spec},
        "status": {"uuid": uuid, "tagsAll": tags} if uuid else {},
    }


def config(name: str = "default", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


def taking(name: str, owner: str, **more: Any) -> dict[str, Any]:
    return resource(name, adoption={"policy": "Required", "uuid": UUID, "takeOverFrom": owner}, **more)


def watching(name: str) -> dict[str, Any]:
    return resource(name, managementPolicy="Observe", adoption={"policy": "Required", "uuid": UUID})


def observing(**more: Any) -> dict[str, Any]:
    """A resource that observes a mapping by its function and source."""
    return resource("w", managementPolicy="Observe", uuid=UUID, **more)


VICTIM = resource("victim", namespace="bank", uuid=UUID, cluster="blue")


@pytest.mark.parametrize(
    ("mappings", "configs", "affected"),
    [
        ([], [], {}),
        ([resource("r")], [config()], {}),
        ([resource("r")], [], {"ProviderConfigRequired": ["shop/r"]}),
        ([resource("r")], [config("shop")], {"ProviderConfigRequired": ["shop/r"]}),
        ([resource("r", providerConfigRef={"name": "shop"})], [config("shop")], {}),
        ([], [config(namespaceSelector={})], {"EmptyNamespaceSelector": ["default"]}),
        ([], [config(namespaceSelector={"matchLabels": {}})], {"EmptyNamespaceSelector": ["default"]}),
        ([], [config(namespaceSelector=BY_LABEL)], {}),
        # Its own name: the cluster was renamed, or the resource moves from a cluster in which it has the same name.
        ([taking("r", "green/shop/r")], [config()], {"TakeoverNeedsConsent": ["shop/r"]}),
        ([taking("r", "blue/bank/victim"), VICTIM], [config()], {"TakeoverNeedsConsent": ["shop/r"]}),
        (
            [taking("r", "blue/bank/victim"), VICTIM | resource("victim", namespace="bank", consent="shop/r")],
            [config()],
            {},
        ),
        ([taking("r", "blue/shop/old"), resource("old", uuid=UUID, cluster="blue")], [config()], {}),
        ([taking("r", "green/shop/r"), VICTIM], [config()], {"TakeoverNeedsConsent": ["shop/r"]}),
        # It has taken the mapping over already.
        ([taking("r", "green/shop/r", uuid=UUID, cluster="blue")], [config()], {}),
        ([watching("w")], [config()], {"ObserveNeedsAccess": ["shop/w"]}),
        ([watching("w"), VICTIM], [config()], {"ObserveNeedsAccess": ["shop/w"]}),
        ([watching("w"), resource("own", uuid=UUID, cluster="blue")], [config()], {}),
        (
            [watching("w"), resource("victim", namespace="bank", uuid=UUID, cluster="blue", consent="shop/x, shop/w")],
            [config()],
            {},
        ),
        ([observing()], [config()], {}),
        ([observing(), VICTIM], [config()], {"ObserveNeedsAccess": ["shop/w"]}),
        ([observing(), resource("own", uuid=UUID, cluster="blue")], [config()], {}),
        ([observing(cluster="green", owner="bank/lost")], [config()], {"ObserveNeedsAccess": ["shop/w"]}),
        ([observing(cluster="green", owner="shop/own")], [config()], {}),
        ([resource("r", region="xx-dead-1")], [config()], {"RegionUnknown": ["shop/r"]}),
        ([resource("r", region="cn-north-1")], [config()], {}),
    ],
)
def test_who_is_affected(
    mappings: list[dict[str, Any]], configs: list[dict[str, Any]], affected: dict[str, list[str]]
) -> None:
    found = check(Snapshot.of(mappings, configs))
    assert {change.name: [one.object for one in some] for change, some in found} == affected


def test_a_region_that_the_operator_will_know_affects_nobody() -> None:
    new = resource("r", eventSourceARN="arn:aws:sqs:xx-new-1:123456789012:orders")
    assert check(Snapshot.of([new], [config()]))
    assert not check(Snapshot.of([new], [config()], more_regions=["xx-new-1"]))
