"""The reference cache: only the newest version of an object counts, and nothing is revealed without consent."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.annotations import ALLOW_REFERENCES_FROM, OUTPUTS_OF
from esm_operator.api.references import Cause, Missing, Reference
from esm_operator.api.resource import Key
from esm_operator.cluster.discovery import Kind, ServedKind
from esm_operator.cluster.kubernetes import Page
from esm_operator.cluster.reference_cache import PATIENCE, ObjectName, ReferenceCache, ReferenceSink
from esm_operator.cluster.reference_users import Users, with_user, without_user
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
        """The resources that are to be resolved again."""
        self.cache._changed.setdefault(Key("", ""))  # pyright: ignore[reportPrivateUsage]
        self.cache._has_changed.set()  # pyright: ignore[reportPrivateUsage]
        return {*await self.cache.take_changed(1_000)} - {Key("", "")}


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
    assert not scene.cache._to_read  # pyright: ignore[reportPrivateUsage]


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

    def test_a_kind_that_no_resource_references_is_not_watched(self, scene: Scene) -> None:
        assert scene.watched() == [(KIND, SERVED, "")]
        scene.use(USER)
        assert scene.watched() == []
        assert scene.find() is Cause.LOADING

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
            scene.cache.discovery_failed(KIND)
            assert scene.find() is Cause.LOADING
            clock.now += PATIENCE + 1
            scene.cache.discovery_failed(KIND)
            assert scene.find() is Cause.UNAVAILABLE
            scene.cache.put_served(KIND, SERVED)
            assert scene.find() is Cause.LOADING

    def test_an_operator_for_some_namespaces_watches_only_these(self) -> None:
        scene = Scene(["shop", "bank"])
        scene.use(USER, QUEUE, QUEUE._replace(path="kmsKeyRef", namespace="elsewhere"))
        scene.cache.put_served(KIND, SERVED)
        assert scene.watched() == [(KIND, SERVED, "shop")]
        scene.list(queue(50), scope="shop")
        assert scene.find() == ARN
        assert scene.find(QUEUE._replace(namespace="elsewhere")) is Cause.UNMANAGED_NAMESPACE
        scene.use(Key("bank", "orders"), QUEUE)
        assert [one.namespace for one in scene.cache.scopes()] == ["shop", "bank"]
        scene.use(USER)
        assert [one.namespace for one in scene.cache.scopes()] == ["bank"]


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
    assert not scene.cache._to_read  # pyright: ignore[reportPrivateUsage]


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


def test_random_registrations_leave_nothing_behind() -> None:
    rng, scene = random.Random(1), Scene()
    names = [QUEUE._replace(name=f"q{number}") for number in range(5)]
    for step in range(2_000):
        key = Key("shop", f"r{rng.randrange(8)}")
        scene.use(key, *rng.sample(names, rng.randrange(4)))
        if step % 50 == 0:
            scene.cache.put_served(KIND, rng.choice([SERVED, CLUSTER_SCOPED, None]))
        elif step % 20 == 0:
            scene.list(*(queue(step, name=f"q{n}") for n in range(5)), version=step)
    for key in list(scene.references):
        scene.use(key)
    assert scene.cache._kinds == {}  # pyright: ignore[reportPrivateUsage]


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
