"""The reference watches: one for each kind in use, kinds that come and go, and few requests whatever tenants invent."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from esm_operator.api.references import Cause, Missing, Reference
from esm_operator.api.resource import Key
from esm_operator.cluster import reference_cache, reference_limits, reference_watches, reflector, transport
from esm_operator.cluster.discovery import Kind, ServedKind, discover
from esm_operator.cluster.reference_cache import ReferenceCache
from esm_operator.cluster.reference_watches import ReferenceWatches
from tests.unit.object_server import DEEP, ObjectServer
from tests.waiting import LIMIT, eventually_async

GROUP_VERSION = "sqs.services.k8s.aws/v1alpha1"
API = f"/apis/{GROUP_VERSION}"
PATH = f"{API}/queues"
QUEUES = {"name": "queues", "kind": "Queue", "namespaced": True, "verbs": ["get", "list", "watch"]}
QUEUE = Reference("eventSourceRef", GROUP_VERSION, "Queue", "orders")
CONFIG_MAP = Reference("functionRef", "v1", "ConfigMap", "names", key="function")
CONFIG_MAPS = {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["list", "watch"]}
SECRETS = {"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["list", "watch"]}
USER = Key("shop", "orders")
ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(reference_watches, "NEW_KINDS", 0.01)
    monkeypatch.setattr(reference_watches, "UNSERVED_KINDS", 0.05)
    monkeypatch.setattr(reference_watches, "_AFTER_A_FAILURE", 0.05)


class Scene:
    """A server, and the references of resources."""

    def __init__(self, *namespaces: str) -> None:
        self.server = ObjectServer()
        self.references: dict[Key, tuple[Reference, ...]] = {}
        self.cache = ReferenceCache(lambda key: self.references.get(key, ()), namespaces)

    def use(self, key: Key, *references: Reference) -> None:
        old = self.references.get(key, ())
        self.references[key] = references
        self.cache.register(key, old, references)

    def serve_queues(self) -> None:
        self.server.resources[GROUP_VERSION] = [QUEUES, {**QUEUES, "name": "queues/status"}]
        self.server.objects.setdefault(PATH, {})

    def put_queue(self, name: str = "orders", arn: str = ARN) -> None:
        self.server.put(PATH, name, {"status": {"ackResourceMetadata": {"arn": arn}}}, namespace="shop")

    async def wait_found(self, expected: str | Cause, reference: Reference = QUEUE, namespace: str = "shop") -> None:
        def found() -> bool:
            one = self.cache.find(reference, namespace)
            return (one.cause if isinstance(one, Missing) else one) == expected

        await eventually_async(found)

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """Run the watches until the block ends."""
        async with self.server.connect() as kubernetes, asyncio.timeout(LIMIT):
            task = asyncio.create_task(ReferenceWatches(kubernetes, self.cache).run())
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_nothing_is_requested_without_references() -> None:
    scene = Scene()
    scene.serve_queues()
    async with scene.watched():
        await asyncio.sleep(0)
        scene.use(USER, QUEUE)
        await eventually_async(lambda: scene.server.watchers == 1)
        assert scene.server.asked == ["/apis list", f"{API} list", f"{PATH} list", f"{PATH} watch"]


async def test_a_watch_ends_when_no_resource_needs_it_and_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reference_limits, "_KEPT", 0.05)
    caplog.set_level("INFO", reference_watches.logger.name)
    scene = Scene()
    scene.serve_queues()
    async with scene.watched():
        for _ in range(2):
            scene.use(USER, QUEUE)
            await eventually_async(lambda: scene.server.watchers == 1)
            scene.use(USER)
            await eventually_async(lambda: scene.server.watchers == 0)
    lines = [one for one in caplog.messages if one.startswith("The operator")]
    assert len(lines) == 2, "each is logged once in a while"


async def test_values_follow_the_objects() -> None:
    scene = Scene()
    scene.serve_queues()
    scene.use(USER, QUEUE)
    async with scene.watched():
        await scene.wait_found(Cause.OBJECT_NOT_FOUND)
        scene.put_queue()
        await scene.wait_found(ARN)
        scene.put_queue(arn=f"{ARN}-2")
        await scene.wait_found(f"{ARN}-2")
        scene.server.delete(PATH, "orders")
        await scene.wait_found(Cause.OBJECT_NOT_FOUND)


async def test_an_object_that_the_watch_has_passed_is_read_once() -> None:
    scene = Scene()
    scene.serve_queues()
    scene.put_queue()
    scene.put_queue("later", f"{ARN}-later")
    scene.use(USER, QUEUE)
    async with scene.watched():
        await scene.wait_found(ARN)
        later = QUEUE._replace(name="later")
        scene.server.objects[f"{API}/namespaces/shop/queues"] = scene.server.objects[PATH]
        scene.use(Key("shop", "later"), later)
        await scene.wait_found(f"{ARN}-later", later)
        scene.use(Key("shop", "same"), later)
        await scene.wait_found(f"{ARN}-later", later)
    assert sum("fieldSelector" in one for one in scene.server.asked) == 1


async def test_a_read_that_fails_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_cache, "PATIENCE", 0.1)
    scene = Scene()
    scene.serve_queues()
    scene.put_queue("later", f"{ARN}-later")
    scene.use(USER, QUEUE)
    path = f"{API}/namespaces/shop/queues"
    scene.server.refusals[path] = 500, "etcd is gone"
    async with scene.watched():
        await scene.wait_found(Cause.OBJECT_NOT_FOUND)
        later = QUEUE._replace(name="later")
        scene.use(Key("shop", "later"), later)
        await scene.wait_found(Cause.UNAVAILABLE, later)
        scene.server.objects[path] = scene.server.objects[PATH]
        scene.server.refusals.clear()
        await scene.wait_found(f"{ARN}-later", later)


async def test_an_object_that_python_cannot_read_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the list, then in an event of the watch, then in the answer to a read. Its other fields are readable.

    A page with several such objects is requested in smaller pages.
    """
    monkeypatch.setattr(transport, "_MOST_TO_CUT", 25_000)
    scene = Scene()
    scene.serve_queues()
    scene.put_queue()
    deep = {"spec": DEEP, "status": {"ackResourceMetadata": {"arn": f"{ARN}-deep"}}}
    for name in ("deep", "deeper"):
        scene.server.put(PATH, name, deep, namespace="shop")
    scene.use(USER, QUEUE, QUEUE._replace(name="deep"))
    async with scene.watched():
        await scene.wait_found(ARN)
        await scene.wait_found(f"{ARN}-deep", QUEUE._replace(name="deep"))
        scene.server.put(PATH, "later", deep, namespace="shop")
        scene.put_queue(arn=f"{ARN}-2")
        await scene.wait_found(f"{ARN}-2")
        scene.server.objects[f"{API}/namespaces/shop/queues"] = scene.server.objects[PATH]
        scene.use(Key("shop", "later"), QUEUE._replace(name="later"))
        await scene.wait_found(f"{ARN}-deep", QUEUE._replace(name="later"))
    assert scene.server.asked.count(f"{PATH} watch") == 1


async def test_a_watch_that_fails_by_a_bug_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object without metadata stands for one that nobody expects."""
    monkeypatch.setattr(reference_watches, "_AFTER_A_BUG", 0.05)
    monkeypatch.setattr(reference_cache, "PATIENCE", 0.1)
    scene = Scene()
    scene.serve_queues()
    scene.server.objects[PATH]["odd"] = {"metadata": ["odd"]}
    scene.use(USER, QUEUE)
    async with scene.watched():
        await scene.wait_found(Cause.UNAVAILABLE)
        scene.put_queue()
        del scene.server.objects[PATH]["odd"]
        await scene.wait_found(ARN)


async def test_a_discovery_that_fails_by_a_bug_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the code stands for a bug."""
    monkeypatch.setattr(reference_watches, "_AFTER_A_BUG", 0.05)
    scene = Scene()
    scene.serve_queues()
    scene.put_queue()
    with monkeypatch.context() as broken:
        broken.setattr(scene.cache, "put_served", None)
        scene.use(USER, QUEUE)
        async with scene.watched():
            await eventually_async(lambda: scene.server.asked.count(f"{API} list") > 1)
            broken.undo()
            await scene.wait_found(ARN)


async def test_a_kind_may_come_and_go_and_come() -> None:
    scene = Scene()
    scene.use(USER, QUEUE)
    async with scene.watched():
        await scene.wait_found(Cause.KIND_NOT_FOUND)
        for number in range(2):
            scene.serve_queues()
            scene.put_queue(arn=f"{ARN}-{number}")
            await scene.wait_found(f"{ARN}-{number}")
            del scene.server.objects[PATH], scene.server.resources[GROUP_VERSION]
            scene.server.cut()
            await scene.wait_found(Cause.KIND_NOT_FOUND)


async def test_a_kind_that_one_namespace_does_not_find_is_listed_again_in_all() -> None:
    """A single 404, as of an API server that has just started. The watch of the other namespace stays open."""
    scene = Scene("shop", "bank")
    scene.serve_queues()
    body, paths = {"status": {"ackResourceMetadata": {"arn": ARN}}}, {}
    for namespace in ("shop", "bank"):
        paths[namespace] = f"{API}/namespaces/{namespace}/queues"
        scene.server.put(paths[namespace], "orders", body, namespace=namespace)
        scene.use(Key(namespace, "orders"), QUEUE)
    async with scene.watched():
        await eventually_async(lambda: scene.server.watchers == 2)
        objects = scene.server.objects.pop(paths["shop"])
        scene.server.cut(paths["shop"])
        await eventually_async(lambda: scene.server.asked.count(f"{paths['shop']} list") > 1)
        scene.server.objects[paths["shop"]] = objects
        for namespace in ("shop", "bank"):
            await scene.wait_found(ARN, namespace=namespace)


@pytest.mark.parametrize("refused", [PATH, f"{PATH} list", f"{PATH} watch"])
async def test_a_missing_right_heals(refused: str) -> None:
    scene = Scene()
    scene.serve_queues()
    scene.put_queue()
    scene.server.refusals[refused] = 403, "queues is forbidden"
    scene.use(USER, QUEUE)
    async with scene.watched():
        await scene.wait_found(Cause.FORBIDDEN)
        asked = len(scene.server.asked)
        while len(scene.server.asked) < asked + 6:
            assert scene.cache.find(QUEUE, "shop") == Missing(Cause.FORBIDDEN), "it does not change all the time"
            await asyncio.sleep(0.001)
        scene.server.refusals.clear()
        await scene.wait_found(ARN)


async def test_invented_kinds_cost_no_request_each() -> None:
    scene = Scene()
    scene.serve_queues()
    scene.put_queue()
    for number in range(500):
        odd = QUEUE._replace(api_version=f"group{number}.example.com/v1", kind=f"Kind{number}")
        scene.use(Key("bad", str(number)), odd, QUEUE._replace(kind=f"Kind{number}"))
    scene.use(USER, QUEUE)
    async with scene.watched():
        await scene.wait_found(ARN)
        asked = [one for one in scene.server.asked if one.endswith(" list")]
        assert {*asked} == {"/apis list", f"{API} list", f"{PATH} list"}


async def test_a_new_kind_costs_no_discovery_of_those_that_were_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_watches, "UNSERVED_KINDS", LIMIT)
    scene = Scene()
    scene.serve_queues()
    missing = QUEUE._replace(path="kmsKeyRef", kind="Missing")
    scene.use(USER, missing)
    async with scene.watched():
        await scene.wait_found(Cause.KIND_NOT_FOUND, missing)
        scene.server.resources["v1"] = [CONFIG_MAPS]
        scene.server.put("/api/v1/configmaps", "names", {"data": {"function": "orders-v2"}}, namespace="shop")
        scene.use(USER, missing, CONFIG_MAP)
        await scene.wait_found("orders-v2", CONFIG_MAP)
    assert scene.server.asked.count(f"{API} list") == 1


class CountedKinds(list[Kind]):
    """Kinds that count how often all of them are read."""

    read = 0

    def __iter__(self) -> Iterator[Kind]:
        self.read += 1
        return super().__iter__()

    def __contains__(self, _: object) -> bool:
        raise AssertionError("a search in a list takes long")


async def test_a_discovery_reads_thousands_of_kinds_a_few_times_whatever_the_cluster_has() -> None:
    server = ObjectServer()
    for number in range(20):
        kinds = [{**QUEUES, "kind": f"Kind{one}", "name": f"kind{one}s"} for one in range(20)]
        server.resources[f"group{number}.example.com/v1"] = kinds
    kinds = CountedKinds(Kind(f"group{number % 20}.example.com/v1", f"Kind{number}") for number in range(1_000))
    async with server.connect() as kubernetes:
        found = await discover(kubernetes, kinds)
    assert sum(served is not None for served in found.values()) == 20
    assert kinds.read <= 2


@pytest.mark.parametrize("api_version", ["", "v1/../v1", "../../api/v1", "sqs/v1?x=", "a b/v1", "v1/configmaps"])
async def test_an_odd_version_is_no_part_of_a_request(api_version: str) -> None:
    server = ObjectServer()
    async with server.connect() as kubernetes:
        kind = Kind(api_version, "ConfigMap")
        assert await discover(kubernetes, [kind]) == {kind: None}
    assert {*server.asked} <= {"/apis list"}


async def test_secrets_are_never_read() -> None:
    server = ObjectServer()
    server.resources["v1"] = [SECRETS, CONFIG_MAPS]
    async with server.connect() as kubernetes:
        secret, config_map = Kind("v1", "Secret"), Kind("v1", "ConfigMap")
        found = await discover(kubernetes, [secret, config_map])
    assert found == {secret: None, config_map: ServedKind("/api/v1", "configmaps", namespaced=True)}


ODD_ANSWERS: list[Any] = ["x", 5, None, {"name": ["x"], "verbs": 5, "kind": "Queue"}, {"kind": "Queue", "verbs": [{}]}]


@pytest.mark.parametrize("answer", ["refused", "cut", *ODD_ANSWERS])
async def test_a_group_that_does_not_answer_delays_no_other(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be served by an extension server that is down, or that has an error."""
    monkeypatch.setattr(reference_cache, "PATIENCE", 0.1)
    scene = Scene()
    scene.serve_queues()
    scene.put_queue()
    group_version = "broken.example.com/v1"
    scene.server.resources[group_version] = [answer]
    if answer == "refused":
        scene.server.refusals[f"/apis/{group_version}"] = 503, "the extension server is down"
    if answer == "cut":
        scene.server.lost.add(f"/apis/{group_version}")
    broken = QUEUE._replace(api_version=group_version, path="kmsKeyRef")
    scene.use(USER, QUEUE, broken)
    async with scene.watched():
        await scene.wait_found(ARN)
        await scene.wait_found(Cause.UNAVAILABLE, broken)
        scene.server.resources[group_version] = [QUEUES]
        scene.server.refusals.clear()
        scene.server.lost.clear()
        scene.server.put(f"/apis/{group_version}/queues", "orders", {"spec": {"arn": ARN}}, namespace="shop")
        await scene.wait_found(Cause.NOT_READY, broken)


async def test_a_config_map() -> None:
    scene = Scene()
    scene.server.resources["v1"] = [CONFIG_MAPS]
    scene.server.put("/api/v1/configmaps", "names", {"data": {"function": "orders-v2"}}, namespace="shop")
    scene.use(USER, CONFIG_MAP)
    async with scene.watched():
        await scene.wait_found("orders-v2", CONFIG_MAP)
