"""The reference cache: only the newest version of an object counts, and nothing is revealed without consent."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.annotations import ALLOW_REFERENCES_FROM, OUTPUTS_OF
from esm_operator.api.references import Cause, Missing, Reference
from esm_operator.api.resource import Key
from esm_operator.cluster import reference_limits
from esm_operator.cluster.discovery import Kind, ServedKind
from esm_operator.cluster.kubernetes import Page
from esm_operator.cluster.reference_cache import PATIENCE, ReferenceCache, ReferenceSink
from esm_operator.cluster.reference_users import Users, with_user, without_user
from esm_operator.cluster.referenced_object import ObjectName
from esm_operator.cluster.transport import ApiError, ForbiddenError
from tests.unit.clock import stopped

KIND = Kind("sqs.services.k8s.aws/v1alpha1", "Queue")
SERVED = ServedKind("/apis/sqs.services.k8s.aws/v1alpha1", "queues", namespaced=True)
CLUSTER_SCOPED = SERVED._replace(namespaced=False)
USER = Key("shop", "orders")
QUEUE = Reference("eventSourceRef", *KIND, "orders")
ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"
FOREIGN = QUEUE._replace(namespace="bank")


def queue(
    version: int, arn: str = ARN, *, name: str = "orders", namespace: str = "shop", allow: str = "", **meta: Any
) -> dict[str, Any]:
    """A Queue of ACK."""
    annotations = {ALLOW_REFERENCES_FROM: allow} if allow else {}
    return {
        "metadata": {
            "name": name,
            "resourceVersion": str(version),
            **({"namespace": namespace} if namespace else {}),
            "annotations": annotations,
            **meta,
        },
        "status": {"ackResourceMetadata": {"arn": arn}} if arn else {},
    }


class Scene:
    """A cache with resources."""

    def __init__(self, namespaces: Sequence[str] = ()) -> None:
        self.references: dict[Key, tuple[Reference, ...]] = {}
        self.cache = ReferenceCache(lambda key: self.references.get(key, ()), namespaces)

    def use(self, key: Key, *references: Reference) -> None:
        """Let a resource have these references and no others."""
        old = self.references.get(key, ())
        self.references[key] = references
        self.cache.register(key, old, references)

    def list(self, *bodies: Mapping[str, Any], version: int = 100, scope: str = "") -> None:
        """Bring a complete list."""
        if any(one.namespace == scope for one in self.cache.scopes()):
            sink = self.sink(scope)
            sink.list_begins()
            sink.put_page(Page([dict(one) for one in bodies], str(version)))
            sink.listed()
            sink.watching()

    def sink(self, scope: str = "") -> ReferenceSink:
        """The receiver of the list and watch of a namespace; empty: of all."""
        return self.cache.sink(next(one for one in self.cache.scopes() if one.namespace == scope))

    def watched(self) -> Sequence[tuple[Any, ...]]:
        """The kinds and namespaces that are to be listed and watched."""
        return [(one.kind, one.served, one.namespace) for one in self.cache.scopes()]

    def find(self, reference: Reference = QUEUE, namespace: str = "shop") -> str | Cause:
        found = self.cache.find(reference, namespace)
        return found.cause if isinstance(found, Missing) else found

    async def changed(self) -> set[Key]:
        """The resources that are to be resolved again now."""
        found: set[Key] = set()
        with suppress(TimeoutError):
            async with asyncio.timeout(0):  # until it waits
                while True:
                    found.add(await self.cache.take_changed())
        return found


@pytest.fixture
def scene() -> Scene:
    """A resource that references a queue, before the list of queues."""
    made = Scene()
    made.use(USER, QUEUE)
    made.cache.put_served(KIND, SERVED)
    return made


async def test_a_value_is_loading_until_the_list_is_complete_and_watched(scene: Scene) -> None:
    assert scene.find() is Cause.LOADING
    await scene.changed()
    sink = scene.sink()
    sink.list_begins()
    sink.put_page(Page([queue(50)], "100"))
    assert scene.find() is Cause.LOADING
    sink.listed()
    assert scene.find() is Cause.LOADING
    sink.watching()
    assert scene.find() == ARN
    assert await scene.changed() == {USER}


async def test_a_change_concerns_only_the_users_of_the_object(scene: Scene) -> None:
    scene.use(Key("shop", "other"), QUEUE._replace(name="other"))
    scene.use(Key("shop", "same"), QUEUE)
    scene.list(queue(50), queue(51, name="other"))
    await scene.changed()
    scene.cache.put(KIND, queue(101, f"{ARN}-2"))
    assert await scene.changed() == {USER, Key("shop", "same")}
    scene.cache.put(KIND, queue(102, f"{ARN}-2", labels={"a": "b"}))
    assert await scene.changed() == set(), "no value differs"
    scene.cache.put(KIND, queue(103, name="unknown"))
    assert await scene.changed() == set()


async def test_an_object_that_changes_all_the_time_concerns_its_users_once_a_second() -> None:
    with stopped() as clock:
        scene = Scene()
        scene.use(USER, QUEUE)
        scene.cache.put_served(KIND, SERVED)
        scene.list(queue(50))
        await scene.changed()
        resolved: list[float] = []
        for step in range(100):
            scene.cache.put(KIND, queue(101 + step, f"{ARN}-{step}"))
            assert scene.find() == f"{ARN}-{step}"
            resolved += [clock.now] * len(await scene.changed())
            clock.now += 0.125
        assert resolved == [1000.0 + number for number in range(13)], "the first change immediately"
        clock.now += 1.0
        assert await scene.changed() == {USER}, "the last value is not lost"
        clock.now += 10.0
        scene.cache.put(KIND, queue(300))
        assert await scene.changed() == {USER}


async def test_an_object_with_many_users_concerns_them_less_often() -> None:
    with stopped() as clock:
        scene = Scene()
        users = {Key("shop", f"r{number}") for number in range(500)}
        for key in users:
            scene.use(key, QUEUE)
        scene.cache.put_served(KIND, SERVED)
        scene.list(queue(50))
        await scene.changed()
        scene.cache.put(KIND, queue(101, f"{ARN}-1"))
        assert await scene.changed() == users
        scene.cache.put(KIND, queue(102, f"{ARN}-2"))
        clock.now += 4.9
        assert await scene.changed() == set()
        clock.now += 0.2
        assert await scene.changed() == users


async def test_many_users_of_an_object_delay_no_other_namespace(scene: Scene) -> None:
    many = [Key("bad", f"r{number}") for number in range(500)]
    for key in many:
        scene.use(key, QUEUE._replace(name="shared"))
    scene.list(queue(50), queue(51, name="shared", namespace="bad"))
    await scene.changed()
    scene.cache.put(KIND, queue(101, f"{ARN}-2", name="shared", namespace="bad"))
    scene.cache.put(KIND, queue(102, f"{ARN}-2"))
    assert USER in [await scene.cache.take_changed() for _ in range(2)]


def test_an_object_that_a_list_does_not_show_does_not_exist(scene: Scene) -> None:
    scene.list(queue(50))
    assert scene.find() == ARN
    scene.list(version=200)
    assert scene.find() is Cause.OBJECT_NOT_FOUND


def test_an_object_that_was_created_during_a_list_exists(scene: Scene) -> None:
    sink = scene.sink()
    sink.list_begins()
    sink.put_page(Page([], "100"))
    scene.cache.put_read(KIND, ObjectName("shop", "orders"), Page([queue(101)], "101"))
    sink.listed()
    sink.watching()
    assert scene.find() == ARN


async def test_an_object_that_is_referenced_during_a_list_is_read(scene: Scene) -> None:
    sink = scene.sink()
    sink.list_begins()
    sink.put_page(Page([], "100"))
    late, later = QUEUE._replace(name="late"), QUEUE._replace(name="later")
    scene.use(Key("shop", "late"), late)
    sink.listed()
    scene.use(Key("shop", "later"), later)
    sink.watching()
    assert [scene.find(late), scene.find(later)] == [Cause.LOADING, Cause.LOADING]
    one = await scene.cache.take_to_read()
    assert (one.path, one.name.name) == (SERVED.path("shop"), "late")
    scene.cache.put_read(one.kind, one.name, Page([], "105"))
    assert scene.find(late) is Cause.OBJECT_NOT_FOUND
    assert (await scene.cache.take_to_read()).name.name == "later"


async def test_many_names_keep_no_other_namespace_waiting(scene: Scene) -> None:
    """The other namespace may need an object of the many too."""
    scene.list(queue(50))
    many = [QUEUE._replace(path=f"ref{number}", name=f"q{number}", namespace="bank") for number in range(500)]
    scene.use(Key("bad", "many"), *many)
    assert (await scene.cache.take_to_read()).party == "bad"
    scene.use(Key("bank", "late"), QUEUE._replace(name="q400"))
    taken = [await scene.cache.take_to_read() for _ in range(2)]
    assert ("bank", "q400") in [(one.party, one.name.name) for one in taken]
    for one in taken:
        scene.cache.put_read(one.kind, one.name, Page([], "120"))
    rest = [(await scene.cache.take_to_read()).name.name for _ in range(497)]
    assert len({*rest, "q400"}) == 498, "each object is read once"


async def test_another_field_of_a_known_object_is_read(scene: Scene) -> None:
    scene.list(queue(50))
    url = QUEUE._replace(field_path="status.queueURL")
    scene.use(Key("shop", "url"), url)
    assert (scene.find(), scene.find(url)) == (ARN, Cause.LOADING)
    await scene.changed()
    one = await scene.cache.take_to_read()
    scene.cache.put_read(one.kind, one.name, Page([{**queue(50), "status": {"queueURL": "https://orders"}}], "120"))
    assert scene.find(url) == "https://orders"
    assert Key("shop", "url") in await scene.changed()


async def test_a_new_field_concerns_only_the_resources_that_need_it(scene: Scene) -> None:
    """A ConfigMap can have many users with keys of their own, and each new one causes a read."""
    scene.list(queue(50))
    url = QUEUE._replace(field_path="metadata.name")
    for name in ("one", "two"):
        scene.use(Key("shop", name), url)
    await scene.changed()
    one = await scene.cache.take_to_read()
    scene.cache.put_read(one.kind, one.name, Page([queue(50)], "120"))
    assert scene.find(url) == "orders"
    assert await scene.changed() == {Key("shop", "one"), Key("shop", "two")}
    assert not scene.cache._reads  # pyright: ignore[reportPrivateUsage]


async def test_an_object_that_cannot_be_read_for_long_is_unavailable() -> None:
    with stopped() as clock:
        scene = Scene()
        scene.use(USER, QUEUE)
        scene.cache.put_served(KIND, SERVED)
        scene.list(queue(50))
        late = QUEUE._replace(name="late")
        scene.use(Key("shop", "late"), late)
        await scene.changed()
        one = await scene.cache.take_to_read()
        for _ in range(3):
            scene.cache.read_failed(one.kind, one.name, ApiError("conversion webhook"))
            assert scene.find(late) is Cause.LOADING
            clock.now += PATIENCE / 2
            scene.cache.read_again(one.kind, one.name)
            assert await scene.cache.take_to_read() == one
        clock.now += 1
        assert await scene.changed() == set()
        scene.cache.read_failed(one.kind, one.name, ApiError("conversion webhook"))
        assert scene.find(late) is Cause.UNAVAILABLE
        assert await scene.changed() == {Key("shop", "late")}, "it is resolved again"
        scene.cache.read_failed(one.kind, one.name, ForbiddenError("no"))
        assert scene.find(late) is Cause.FORBIDDEN
        await scene.changed()
        scene.cache.put_read(one.kind, one.name, Page([queue(40, name="late")], "120"))
        assert scene.find(late) == ARN
        assert await scene.changed() == {Key("shop", "late")}
        assert not scene.cache._reads  # pyright: ignore[reportPrivateUsage]


def test_older_versions_do_not_count(scene: Scene) -> None:
    scene.list(queue(50))
    scene.cache.put(KIND, queue(120, f"{ARN}-new"))
    scene.cache.put_read(KIND, ObjectName("shop", "orders"), Page([queue(110, f"{ARN}-old")], "115"))
    assert scene.find() == f"{ARN}-new"
    scene.cache.delete(KIND, queue(130))
    scene.cache.put_read(KIND, ObjectName("shop", "orders"), Page([queue(120, f"{ARN}-new")], "125"))
    assert scene.find() is Cause.OBJECT_NOT_FOUND
    scene.cache.put(KIND, queue(140, f"{ARN}-again"))
    assert scene.find() == f"{ARN}-again"


async def test_a_cluster_that_counts_its_versions_again_after_a_restore_is_believed(scene: Scene) -> None:
    gone = QUEUE._replace(name="gone")
    scene.use(Key("shop", "gone"), gone)
    scene.list(queue(5_000), queue(5_001, name="gone"), version=6_000)
    await scene.changed()
    sink = scene.sink()
    sink.list_begins()
    sink.put_page(Page([], "50"))
    assert [scene.find(), scene.find(gone)] == [ARN, ARN], "a resource that is resolved now does not wait"
    sink.put_page(Page([queue(40)], "50"))
    sink.listed()
    assert [scene.find(), scene.find(gone)] == [ARN, Cause.OBJECT_NOT_FOUND]
    assert await scene.changed() == {Key("shop", "gone")}
    scene.list(queue(50, f"{ARN}-restored"), version=60)
    assert scene.find() == f"{ARN}-restored"
    scene.cache.put(KIND, queue(61, f"{ARN}-later"))
    assert scene.find() == f"{ARN}-later"


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (queue(101, ""), Cause.NOT_READY),
        (queue(101, deletionTimestamp="2026-01-01T00:00:00Z"), Cause.DELETING),
        ({**queue(101), "status": {"ackResourceMetadata": {"arn": {"a": 1}}}}, Cause.WRONG_TYPE),
    ],
)
def test_an_object_without_a_value(scene: Scene, body: dict[str, Any], cause: Cause) -> None:
    scene.list()
    scene.cache.put(KIND, body)
    assert scene.find() is cause


async def test_the_outputs_of_a_mapping_have_no_value_for_references(scene: Scene) -> None:
    scene.list(queue(50, labels={OUTPUTS_OF: "uid"}))
    assert scene.find() is Cause.OUTPUTS
    await scene.changed()
    scene.cache.put(KIND, queue(101, f"{ARN}-2", labels={OUTPUTS_OF: "uid"}))
    assert await scene.changed() == set()
    scene.cache.put(KIND, queue(102, labels={"app": "orders"}))
    assert (scene.find(), await scene.changed()) == (ARN, {USER})


@given(st.sampled_from(["absent", "deleted", "deleting", "not ready", "ready", "wrong type"]))
def test_nothing_is_revealed_without_consent(state: str) -> None:
    scene = Scene()
    scene.use(USER, FOREIGN)
    scene.cache.put_served(KIND, SERVED)
    bodies: dict[str, list[dict[str, Any]]] = {
        "deleting": [queue(50, namespace="bank", deletionTimestamp="2026-01-01T00:00:00Z")],
        "not ready": [queue(50, "", namespace="bank")],
        "ready": [queue(50, namespace="bank")],
        "wrong type": [{**queue(50, namespace="bank"), "status": {"ackResourceMetadata": {"arn": []}}}],
        "deleted": [queue(50, namespace="bank")],
    }
    scene.list(*bodies.get(state, []))
    if state == "deleted":
        scene.cache.delete(KIND, queue(101, namespace="bank"))
    assert scene.cache.find(FOREIGN, "shop") == Missing(Cause.NO_CONSENT)


class TestConsent:
    @pytest.fixture
    def scene(self) -> Scene:
        made = Scene()
        made.use(USER, FOREIGN)
        made.cache.put_served(KIND, SERVED)
        return made

    @pytest.mark.parametrize("allow", ["shop", "*", " team-a , shop", "other,*"])
    def test_an_object_of_another_namespace_that_consents(self, scene: Scene, allow: str) -> None:
        scene.list(queue(50, namespace="bank", allow=allow))
        assert scene.find(FOREIGN) == ARN

    @pytest.mark.parametrize("allow", ["", "team-a", "shop-2", "sho", "**", "bank"])
    def test_an_object_of_another_namespace_that_does_not_consent(self, scene: Scene, allow: str) -> None:
        scene.list(queue(50, namespace="bank", allow=allow))
        assert scene.find(FOREIGN) is Cause.NO_CONSENT

    async def test_a_withdrawn_consent_is_noticed(self, scene: Scene) -> None:
        scene.list(queue(50, namespace="bank", allow="shop"))
        await scene.changed()
        scene.cache.put(KIND, queue(101, namespace="bank"))
        assert scene.find(FOREIGN) is Cause.NO_CONSENT
        assert await scene.changed() == {USER}

    def test_an_object_without_a_namespace_needs_consent(self) -> None:
        scene = Scene()
        scene.use(USER, QUEUE)
        scene.cache.put_served(KIND, CLUSTER_SCOPED)
        scene.list(queue(50, namespace=""))
        assert scene.find() is Cause.NO_CONSENT
        scene.cache.put(KIND, queue(101, namespace="", allow="shop"))
        assert scene.find() == ARN


class TestKinds:
    async def test_a_kind_that_is_installed_later_and_removed(self) -> None:
        scene = Scene()
        scene.use(USER, QUEUE)
        assert scene.cache.unserved() == {KIND: True}
        scene.cache.put_served(KIND, None)
        assert scene.find() is Cause.KIND_NOT_FOUND
        assert await scene.changed() == {USER}
        assert scene.cache.unserved() == {KIND: False}
        scene.cache.put_served(KIND, SERVED)
        scene.list(queue(50))
        assert scene.find() == ARN
        await scene.changed()
        scene.cache.put_served(KIND, None)
        assert scene.find() is Cause.KIND_NOT_FOUND
        assert await scene.changed() == {USER}
        assert scene.watched() == []

    def test_a_kind_that_is_installed_again_with_another_scope(self) -> None:
        scene = Scene()
        scene.use(USER, QUEUE._replace(namespace="shop"))
        scene.use(Key("bank", "orders"), QUEUE)
        scene.cache.put_served(KIND, CLUSTER_SCOPED)
        scene.list(queue(50, namespace="", allow="*"))
        assert [scene.find(), scene.find(namespace="bank")] == [ARN, ARN]
        scene.cache.put_served(KIND, None)
        scene.cache.put_served(KIND, SERVED)
        scene.list(queue(50), queue(51, f"{ARN}-bank", namespace="bank"))
        assert [scene.find(), scene.find(namespace="bank")] == [ARN, f"{ARN}-bank"]
        scene.use(USER)
        scene.use(Key("bank", "orders"))
        assert not scene.cache.unserved()

    async def test_a_kind_that_no_resource_references_is_watched_for_a_minute(self) -> None:
        """A tenant may edit a resource between two kinds, and each list shows all objects."""
        with stopped() as clock:
            scene = Scene()
            scene.use(USER, QUEUE)
            scene.cache.put_served(KIND, SERVED)
            scene.list(queue(50))
            other = QUEUE._replace(kind="Other")
            for _ in range(20):
                scene.use(USER, other)
                clock.now += 59.0
                scene.cache.forget_unused()
                assert scene.watched() == [(KIND, SERVED, "")]
                scene.use(USER, QUEUE)
                assert (await scene.cache.take_to_read()).name.name == "orders"
                scene.cache.put_read(KIND, ObjectName("shop", "orders"), Page([queue(50)], "120"))
                assert scene.find() == ARN
            scene.use(USER)
            assert scene.find() is Cause.LOADING
            assert not scene.cache.unserved()
            clock.now += 61.0
            scene.cache.forget_unused()
            assert scene.watched() == []
            assert not scene.cache.has_unused

    def test_a_kind_that_another_namespace_references_stays_watched(self) -> None:
        with stopped() as clock:
            scene = Scene()
            scene.use(USER, QUEUE)
            scene.use(Key("bank", "orders"), QUEUE)
            scene.cache.put_served(KIND, SERVED)
            scene.use(USER)
            clock.now += 61.0
            scene.cache.forget_unused()
            assert scene.watched() == [(KIND, SERVED, "")]
            scene.use(Key("bank", "orders"))
            clock.now += 61.0
            scene.cache.forget_unused()
            assert scene.watched() == []

    def test_a_list_and_watch_of_before_does_not_count(self, scene: Scene) -> None:
        before = scene.sink()
        scene.cache.put_served(KIND, None)
        scene.cache.put_served(KIND, SERVED)
        before.list_begins()
        before.listed()
        before.failed(ForbiddenError("no"))
        assert scene.find() is Cause.LOADING
        scene.list(queue(50))
        assert scene.find() == ARN

    async def test_a_missing_right_is_reported_immediately_and_heals(self, scene: Scene) -> None:
        assert scene.cache.count_objects() == {}
        scene.sink().failed(ForbiddenError("no"))
        assert scene.find() is Cause.FORBIDDEN
        scene.list(queue(50))
        assert scene.find() == ARN
        assert scene.cache.count_objects() == {("sqs.services.k8s.aws", "Queue"): 1}

    async def test_a_right_that_is_missing_for_a_moment_changes_nothing(self) -> None:
        with stopped() as clock:
            scene = Scene()
            scene.use(USER, QUEUE)
            scene.cache.put_served(KIND, SERVED)
            scene.list(queue(50))
            await scene.changed()
            for _ in range(3):
                clock.now += PATIENCE
                scene.sink().failed(ForbiddenError("no"))
                scene.list(queue(50))
            assert scene.find() == ARN
            assert await scene.changed() == set()
            for _ in range(2):
                scene.sink().failed(ForbiddenError("no"))
                assert scene.find() == ARN
                clock.now += PATIENCE
            clock.now += 1
            scene.sink().failed(ForbiddenError("no"))
            assert scene.find() is Cause.FORBIDDEN
            assert await scene.changed() == {USER}

    async def test_a_list_without_a_watch_does_not_count(self, scene: Scene) -> None:
        sink = scene.sink()
        for _ in range(2):
            sink.list_begins()
            sink.put_page(Page([queue(50)], "100"))
            sink.listed()
            assert scene.find() in (Cause.LOADING, Cause.FORBIDDEN)
            sink.failed(ForbiddenError("no right to watch"))
            assert scene.find() is Cause.FORBIDDEN
        await scene.changed()
        sink.watching()
        assert scene.find() == ARN
        assert await scene.changed() == {USER}

    def test_a_kind_that_cannot_be_listed_for_long_is_unavailable(self) -> None:
        with stopped() as clock:
            scene = Scene()
            scene.use(USER, QUEUE)
            scene.cache.put_served(KIND, SERVED)
            scene.sink().failed(ApiError("conversion webhook"))
            assert scene.find() is Cause.LOADING
            clock.now += PATIENCE + 1
            scene.sink().failed(ApiError("conversion webhook"))
            assert scene.find() is Cause.UNAVAILABLE
            scene.list(queue(50))
            scene.sink().failed(ApiError("conversion webhook"))
            assert scene.find() == ARN, "what is known stays valid"

    def test_a_kind_that_cannot_be_discovered_for_long_is_unavailable(self) -> None:
        with stopped() as clock:
            scene = Scene()
            scene.use(USER, QUEUE)
            clock.now += PATIENCE + 1  # a start with many resources takes time, and shows no failure
            scene.cache.discovery_failed(KIND)
            assert scene.find() is Cause.LOADING
            clock.now += PATIENCE + 1
            scene.cache.discovery_failed(KIND)
            assert scene.find() is Cause.UNAVAILABLE
            scene.cache.put_served(KIND, SERVED)
            assert scene.find() is Cause.LOADING

    def test_an_operator_for_some_namespaces_watches_only_these(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scene = Scene(["shop", "bank"])
        scene.use(USER, QUEUE, QUEUE._replace(path="kmsKeyRef", namespace="elsewhere"))
        scene.cache.put_served(KIND, SERVED)
        assert scene.watched() == [(KIND, SERVED, "shop")]
        scene.list(queue(50), scope="shop")
        assert scene.find() == ARN
        assert scene.find(QUEUE._replace(namespace="elsewhere")) is Cause.UNMANAGED_NAMESPACE
        scene.use(Key("bank", "orders"), QUEUE)
        assert [one.namespace for one in scene.cache.scopes()] == ["shop", "bank"]
        monkeypatch.setattr(reference_limits, "_KEPT", 0.0)
        scene.use(USER)
        scene.cache.forget_unused()
        assert [one.namespace for one in scene.cache.scopes()] == ["bank"]


@pytest.mark.parametrize("served", [SERVED, CLUSTER_SCOPED, None])
def test_a_discovery_reads_no_spec_again(served: ServedKind | None) -> None:
    """A resource can have a reference to another kind in each of its 33 fields."""
    scene, searched = Scene(), 0

    def references_of(key: Key) -> Sequence[Reference]:
        nonlocal searched
        searched += 1
        return scene.references.get(key, ())

    scene.cache = ReferenceCache(references_of)
    many = [QUEUE._replace(path=f"ref{number}", kind=f"Kind{number}") for number in range(33)]
    for name in ("one", "two"):
        scene.use(Key("shop", name), *many)
    for reference in many:
        scene.cache.put_served(KIND._replace(kind=reference.kind), served)
    assert not searched
    assert len(scene.watched()) == (33 if served else 0)


class TestLimits:
    @pytest.fixture(autouse=True)
    def low_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reference_limits, "WATCHES_PER_NAMESPACE", 3)
        monkeypatch.setattr(reference_limits, "MAX_WATCHES", 6)

    @staticmethod
    def kinds(prefix: str, number: int = 9) -> list[Reference]:
        return [QUEUE._replace(path=f"ref{one}", kind=f"{prefix}{one}") for one in range(number)]

    async def test_a_namespace_watches_a_limited_number_of_kinds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scene, many = Scene(), self.kinds("Kind")
        scene.use(USER, *many)
        assert await scene.changed() == {USER}, "the reason becomes known"
        for reference in many:
            scene.cache.put_served(KIND._replace(kind=reference.kind), SERVED)
        assert len(scene.watched()) == 3
        assert [scene.find(one) for one in many] == [Cause.LOADING] * 3 + [Cause.TOO_MANY_KINDS] * 6
        assert not scene.cache.unserved(), "a refused kind is not discovered"
        await scene.changed()
        monkeypatch.setattr(reference_limits, "_KEPT", 0.0)
        scene.use(USER, *many[2:5])
        scene.cache.forget_unused()
        scene.cache.admit_refused()
        assert await scene.changed() == {USER}
        assert [scene.find(one) for one in many[2:5]] == [Cause.LOADING] * 3
        scene.use(USER)
        assert not scene.cache.has_refused

    def test_invented_kinds_of_many_namespaces_leave_a_watch_to_each(self) -> None:
        scene = Scene()
        for number in range(20):
            scene.use(Key(f"bad-{number}", "orders"), *self.kinds(f"Kind{number}-"))
        scene.use(USER, QUEUE)
        scene.cache.put_served(KIND, SERVED)
        scene.list(queue(50))
        assert scene.find() == ARN
        assert len(scene.cache.unserved()) < 25

    def test_a_kind_that_another_namespace_uses_counts_only_for_the_namespace(self) -> None:
        scene = Scene()
        for number in range(20):
            scene.use(Key(f"team-{number}", "orders"), *self.kinds("Kind", 3))
        assert len(scene.cache.unserved()) == 3
        assert not scene.cache.has_refused

    def test_each_managed_namespace_of_objects_counts(self) -> None:
        scene = Scene(["shop", "a", "b", "c"])
        foreign = [QUEUE._replace(path=f"ref{one}", namespace=one) for one in ("a", "b", "c", "elsewhere")]
        scene.use(USER, QUEUE, *foreign)
        scene.cache.put_served(KIND, SERVED)
        assert [one.namespace for one in scene.cache.scopes()] == ["shop", "a", "b"]
        assert scene.find(foreign[2]) is Cause.TOO_MANY_KINDS


@pytest.mark.parametrize("name", ["", "a,metadata.namespace=bank", "../secrets/a", "a/b", "a=b", "x" * 300, "a\nb"])
def test_a_name_that_no_object_can_have_is_not_asked_for(name: str) -> None:
    scene = Scene()
    scene.cache.put_served(KIND, SERVED)
    odd = QUEUE._replace(name=name)
    scene.use(USER, QUEUE)
    scene.cache.put_served(KIND, SERVED)
    scene.list()
    scene.use(Key("shop", "odd"), odd)
    assert scene.find(odd) is Cause.OBJECT_NOT_FOUND
    assert not scene.cache._reads  # pyright: ignore[reportPrivateUsage]


def test_fields_that_nobody_needs_any_more_are_forgotten(scene: Scene) -> None:
    scene.list(queue(50))
    scene.use(Key("shop", "stays"), QUEUE)
    for number in range(100):
        scene.use(Key("shop", "changes"), QUEUE._replace(field_path=f"spec.field{number}"))
    one = scene.cache._kinds[KIND].objects[ObjectName("shop", "orders")]  # pyright: ignore[reportPrivateUsage]
    assert len(one.values) <= 6
    assert scene.find() == ARN


async def test_many_fields_of_one_object_are_searched_rarely() -> None:
    """A ConfigMap can have a key for each of ten thousand resources, and each may be removed."""
    searched = 0

    def references_of(key: Key) -> Sequence[Reference]:
        nonlocal searched
        searched += 1
        return scene.references.get(key, ())

    scene = Scene()
    scene.cache = ReferenceCache(references_of)
    keys = [Key("shop", f"r{number}") for number in range(500)]
    paths = {key: f"spec.arns.{key.name}" for key in keys}
    scene.use(keys[0], QUEUE)
    scene.cache.put_served(KIND, SERVED)
    for key in keys:
        scene.use(key, QUEUE._replace(field_path=paths[key]), QUEUE._replace(path="kmsKeyRef"))
    scene.list(queue(50) | {"spec": {"arns": {key.name: f"{ARN}-{key.name}" for key in keys}}})
    one = scene.cache._object(KIND, ObjectName("shop", "orders"))  # pyright: ignore[reportPrivateUsage]
    assert one is not None
    kept, searched = one.values, 0
    scene.use(Key("shop", "last"), QUEUE._replace(field_path="spec.arns.last"))
    assert one.values is kept
    for key in keys:
        assert scene.find(QUEUE._replace(field_path=paths[key])) == f"{ARN}-{key.name}"
    for key in keys:
        scene.use(key)
    assert searched < 2 * len(keys)
    assert len(one.values) <= 2


def test_random_registrations_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the limits refuse some of them."""
    monkeypatch.setattr(reference_limits, "WATCHES_PER_NAMESPACE", 3)
    monkeypatch.setattr(reference_limits, "_KEPT", 0.0)
    rng, scene = random.Random(1), Scene()
    names = [QUEUE._replace(name=f"q{number}") for number in range(5)]
    names += [QUEUE._replace(kind=f"Kind{number}") for number in range(5)]
    for step in range(2_000):
        key = Key("shop", f"r{rng.randrange(8)}")
        scene.use(key, *rng.sample(names, rng.randrange(4)))
        if step % 50 == 0:
            scene.cache.put_served(KIND, rng.choice([SERVED, CLUSTER_SCOPED, None]))
        elif step % 30 == 0:
            scene.cache.forget_unused()
            scene.cache.admit_refused()
        elif step % 20 == 0:
            scene.list(*(queue(step, name=f"q{n}") for n in range(5)), version=step)
    for key in list(scene.references):
        scene.use(key)
    scene.cache.forget_unused()
    assert scene.cache._kinds == {}  # pyright: ignore[reportPrivateUsage]
    assert not scene.cache.has_refused
    assert not scene.cache._limits._limiter.pairs()  # pyright: ignore[reportPrivateUsage]


@given(st.lists(st.integers(0, 12)))
def test_users_of_an_object_are_counted(numbers: list[int]) -> None:
    """A user with two references stays until both are gone."""
    users: Users = ()
    counts = Counter[Key]()
    for number in numbers:
        users = with_user(users, Key("shop", str(number)))
        counts[Key("shop", str(number))] += 1
        assert {*users} == {*counts}
    for number in reversed(numbers):
        users = without_user(users, Key("shop", str(number)))
        counts[Key("shop", str(number))] -= 1
        assert {*users} == {*+counts}
    assert not users


async def test_a_further_user_of_an_object_with_many_copies_nothing(scene: Scene) -> None:
    """Ten thousand resources can reference one object."""
    scene.list(queue(50))
    keys = [Key("shop", f"r{number}") for number in range(200)]
    for key in keys:
        scene.use(key, QUEUE, QUEUE._replace(path="kmsKeyRef"))
    one = scene.cache._object(KIND, ObjectName("shop", "orders"))  # pyright: ignore[reportPrivateUsage]
    assert one is not None
    kept = one.users
    scene.use(Key("shop", "last"), QUEUE)
    assert one.users is kept
    scene.use(keys[0], QUEUE)
    assert one.users is kept
    await scene.changed()
    scene.cache.put(KIND, queue(101, f"{ARN}-2"))
    assert await scene.changed() == {USER, *keys, Key("shop", "last")}
