"""Holds: what a finalizer is called, and who uses a ProviderConfig."""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from esm_operator.api.annotations import INTENT
from esm_operator.api.resource import FINALIZER, Key, Resource, parse
from esm_operator.cluster import usage_finalizer
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.operator_names import IN_USE, finalizer_name
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.planning.target import PROVIDER_CONFIG_LABEL, ProviderConfigSettings, Unresolved
from esm_operator.ratelimit.rate_limiter import RateLimiter

#: A qualified name, as Kubernetes checks the names of finalizers.
QUALIFIED = re.compile(r"lambda\.esm-operator\.io/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
SHOP = {"providerConfigRef": {"name": "shop"}}


@pytest.mark.parametrize(
    ("whole", "lease_namespace", "lease_name"),
    [
        (True, "esm-operator", "esm-operator"),
        (False, "esm-operator", "esm-operator"),
        (False, "esm-operator", "team-a"),
        (False, "n" * 63, "l" * 253),
        (False, "n" * 30, "l." * 40 + "l"),
    ],
)
def test_finalizers_are_names_that_kubernetes_takes(whole: bool, lease_namespace: str, lease_name: str) -> None:
    name = finalizer_name(whole=whole, lease_namespace=lease_namespace, lease_name=lease_name)
    assert QUALIFIED.fullmatch(name)


def test_operators_that_share_a_cluster_have_each_its_own() -> None:
    leases = [("a", "esm-operator"), ("b", "esm-operator"), ("a", "other"), ("a", "x" * 253), ("a", "x" * 252 + "y")]
    names = {finalizer_name(whole=False, lease_namespace=place, lease_name=name) for place, name in leases}
    assert len(names) == len(leases)


def test_one_for_all_resources_keeps_its_finalizer_under_any_lease() -> None:
    assert finalizer_name(whole=True, lease_namespace="a", lease_name="b") == "lambda.esm-operator.io/in-use"


def resource(
    name: str,
    spec: Mapping[str, Any],
    *,
    finalizer: bool = True,
    intent_of: str = "",
    stalled: str = "",
    through: str = "",
    uuid: str = "",
    arn: str = "",
    deleting: bool = False,
) -> dict[str, Any]:
    intent = {
        "owner": intent_of,
        "account": "123456789012",
        "region": "eu-west-1",
        "function": "f",
        "source": "s",
        "servers": [],
        "fields": [],
        "tags": [],
        "immutable": {},
    }
    return {
        "metadata": {
            "namespace": "n",
            "name": name,
            "uid": name,
            "resourceVersion": "1",
            "finalizers": [FINALIZER] if finalizer else [],
            "annotations": {INTENT: json.dumps(intent)} if intent_of else {},
            **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}),
        },
        "spec": spec,
        "status": {
            "conditions": [{"type": "Stalled", "status": "True", "reason": stalled}] if stalled else [],
            **({"providerConfig": through} if through else {}),
            "uuid": uuid,
            "arn": arn,
        },
    }


def config(name: str, *, deleting: bool = False, finalizers: tuple[str, ...] = (), version: int = 1) -> dict[str, Any]:
    meta = {"name": name, "uid": name, "resourceVersion": str(version), "finalizers": list(finalizers)}
    going = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}
    return {"metadata": meta | going, "spec": {"region": "us-west-2"}}


UUID = "11111111-2222-3333-4444-555555555555"


class Scene:
    """Holds over resources and ProviderConfigs; the API server is never called."""

    def __init__(
        self, configs: list[dict[str, Any]], resources: list[dict[str, Any]], labels: dict[str, str] | None = None
    ) -> None:
        self.cache = ResourceCache()
        self.config_cache = ConfigCache(ProviderConfigSettings("(operator)", region="eu-west-1"), own_credentials=True)
        self.config_cache.put_namespace({"metadata": {"name": "n", "labels": labels or {}}})
        for body in configs:
            self.config_cache.put_config(body)
        for body in resources:
            self.cache.put(parse(body))
        unreachable: Any = None
        self.holds = usage_finalizer.UsageFinalizer(
            IN_USE, self.cache, self.config_cache, KubernetesClient(unreachable, RateLimiter(100))
        )

    def users(self, name: str) -> list[str]:
        return [key.name for key in self.holds.users(name)]

    async def hold(self, name: str) -> Unresolved | None:
        found = self.cache.get(Key("n", name))
        assert found is not None
        return await self.holds.hold(found)


@pytest.mark.parametrize(
    ("body", "configs", "uses"),
    [
        (resource("r", SHOP), ["shop"], "shop"),
        (resource("r", SHOP, finalizer=False), ["shop"], None),
        (resource("r", SHOP, finalizer=False, intent_of="n/r"), ["shop"], "shop"),
        (resource("r", SHOP, finalizer=False, intent_of="n/another"), ["shop"], None),
        (resource("r", SHOP), ["shop", "default"], "shop"),
        (resource("r", {}), ["shop"], None),
        (resource("r", {}), ["shop", "default"], "default"),
        # As the operator's own settings: it is reached just as well without it.
        (resource("r", {"region": "us-west-2"}), ["shop", "default"], None),
        (resource("r", {"region": "us-west-2", **SHOP}), ["shop", "default"], "shop"),
        (resource("r", SHOP, stalled="TargetChanged"), ["shop"], "shop"),
        (resource("r", {}, stalled="TargetChanged"), ["default"], None),
        (resource("r", {}, stalled="InvalidSpec"), ["default"], "default"),
    ],
)
def test_who_uses_a_provider_config(body: dict[str, Any], configs: list[str], uses: str | None) -> None:
    scene = Scene([config(name) for name in configs], [body])
    assert {name for name in configs if scene.users(name)} == ({uses} if uses else set())


@pytest.mark.parametrize(
    ("body", "users"),
    [
        (resource("r", {}, through="shop"), ["default", "shop"]),
        (resource("r", {}, stalled="TargetChanged", through="shop"), ["shop"]),
        (resource("r", {}, stalled="TargetChanged", through="default"), ["default"]),
        (resource("r", {}, finalizer=False, through="shop"), []),
    ],
)
def test_the_provider_config_that_made_the_mapping_is_in_use(body: dict[str, Any], users: list[str]) -> None:
    scene = Scene([config(name) for name in ("default", "shop")], [body])
    assert [name for name in ("default", "shop") if scene.users(name)] == users


HELD = config("shop", finalizers=(IN_USE,))
GOING = config("shop", finalizers=(IN_USE,), deleting=True)


async def test_a_resource_that_was_admitted_counts_before_its_finalizer_is_seen() -> None:
    scene = Scene([HELD], [resource("new", SHOP, finalizer=False)])
    assert scene.users("shop") == []
    assert await scene.hold("new") is None
    assert scene.users("shop") == ["new"]
    scene.cache.forget(Key("n", "new"))
    assert scene.users("shop") == []


async def test_nothing_new_is_made_through_one_that_is_going() -> None:
    """A user can write the finalizer and the intent to a new resource."""
    forged = resource("forged", SHOP, intent_of="n/forged")
    old, going = resource("old", SHOP, uuid=UUID), resource("going", SHOP, deleting=True)
    scene = Scene([GOING], [resource("new", SHOP, finalizer=False), forged, old, going])
    for name in ("new", "forged"):
        refused = await scene.hold(name)
        assert refused is not None
        assert refused.reason == "ProviderConfigDeleting"
    assert await scene.hold("old") is None
    assert await scene.hold("going") is None
    assert scene.users("shop") == ["forged", "going", "old"]


ARN = f"arn:aws:lambda:us-west-2:123456789012:event-source-mapping:{UUID}"


@pytest.mark.parametrize(
    ("status", "users"),
    [
        ({}, []),
        ({"uuid": UUID}, []),
        ({"uuid": UUID, "arn": ARN}, []),
        ({"uuid": UUID, "arn": ARN, "through": "another"}, []),
        ({"uuid": UUID, "arn": "forged", "through": "shop"}, []),
        ({"uuid": UUID, "arn": ARN, "through": "shop"}, ["r"]),
    ],
)
def test_a_resource_in_a_namespace_that_is_not_admitted_counts_only_if_it_has_a_mapping(
    status: dict[str, Any], users: list[str]
) -> None:
    body = config("shop")
    body["spec"]["namespaceSelector"] = {"matchLabels": {"team": "shop"}}
    assert Scene([body], [resource("r", SHOP, **status)]).users("shop") == users
    assert Scene([body], [resource("r", SHOP)], {"team": "shop"}).users("shop") == ["r"]


async def test_one_that_is_not_there() -> None:
    scene = Scene([], [resource("new", SHOP, finalizer=False)])
    refused = await scene.hold("new")
    assert refused is not None
    assert refused.reason == "ProviderConfigNotFound"


def test_a_provider_config_that_the_label_of_the_namespace_names_is_in_use() -> None:
    labelled = Scene([config("shop"), config("default")], [resource("r", {})], {PROVIDER_CONFIG_LABEL: "shop"})
    assert (labelled.users("shop"), labelled.users("default")) == (["r"], [])


async def test_the_operators_own_credentials_need_no_hold() -> None:
    assert await Scene([HELD], [resource("new", {}, finalizer=False)]).hold("new") is None


def test_an_older_version_is_not_taken() -> None:
    scene = Scene([config("shop", finalizers=(IN_USE,), version=10)], [])
    assert not scene.config_cache.put_config(config("shop", version=9))
    found = scene.config_cache.config("shop")
    assert found is not None
    assert found.finalizers == (IN_USE,)


def test_a_recreated_one_is_not_the_same() -> None:
    scene = Scene([config("shop")], [])
    again = config("shop", version=2)
    assert not scene.config_cache.put_config(again)
    again["metadata"]["uid"] = "another"
    assert scene.config_cache.put_config(again)


def test_a_list_makes_forget_what_is_gone_and_not_what_came_meanwhile() -> None:
    scene = Scene([config("gone"), config("stays")], [])
    known = scene.config_cache.configs()
    scene.config_cache.put_config(config("new"))
    assert scene.config_cache.put_all_configs([config("stays")], known) == ["gone"]
    assert sorted(one.name for one in scene.config_cache.configs()) == ["new", "stays"]
    assert not scene.config_cache.put_all_configs([config("stays"), config("new")], scene.config_cache.configs())


@pytest.mark.parametrize(
    ("count", "users"),
    [
        (1, "1 EventSourceMapping uses it (n/r0). "),
        (5, "5 EventSourceMappings use it (n/r0, n/r1, n/r2, n/r3, n/r4). "),
        (7, "7 EventSourceMappings use it (n/r0, n/r1, n/r2, n/r3, n/r4 and 2 more). "),
    ],
)
def test_the_sentence_names_the_first_few(count: int, users: str) -> None:
    sentence = usage_finalizer.in_use([Key("n", f"r{number}") for number in range(count)])
    assert sentence.startswith(f"The deletion of this ProviderConfig waits, because {users}")


class CountingCache(ConfigCache):
    """Counts how often it is asked which ProviderConfig a resource uses."""

    asked = 0

    def config_of(self, resource: Resource) -> str:
        self.asked += 1
        return super().config_of(resource)


async def test_one_pass_reads_each_resource_once_for_all_provider_configs_and_lets_others_work() -> None:
    count = 4 * usage_finalizer.CHUNK
    cache, configs = ResourceCache(), CountingCache(ProviderConfigSettings("(operator)", region="eu-west-1"))
    for number in range(count):
        name = f"c{number}"
        cache.put(parse(resource(name, {"providerConfigRef": {"name": name}})))
        body = config(name, deleting=True, finalizers=(IN_USE,))
        condition = {"type": "InUse", "status": "True", "message": usage_finalizer.in_use([Key("n", name)])}
        configs.put_config(body | {"status": {"conditions": [condition]}})
    unreachable: Any = None
    finalizer = usage_finalizer.UsageFinalizer(
        IN_USE, cache, configs, KubernetesClient(unreachable, RateLimiter(100)), interval=60.0
    )
    running = asyncio.create_task(finalizer.run())
    await asyncio.sleep(0)
    assert 0 < configs.asked < count
    for _ in range(100):
        await asyncio.sleep(0)
    running.cancel()
    assert count < configs.asked < 10 * count


async def test_no_lock_is_kept_for_a_provider_config_that_nobody_changes() -> None:
    scene = Scene([config(f"c{number}", finalizers=(IN_USE,)) for number in range(3)], [])
    for number in range(3):
        scene.cache.put(parse(resource("r", {"providerConfigRef": {"name": f"c{number}"}})))
        assert await scene.hold("r") is None
    assert not scene.holds._locks  # pyright: ignore[reportPrivateUsage]
