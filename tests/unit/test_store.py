"""The desired store: fed by the watch and by our own writes, in any order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from esm_operator.store import FINALIZER, INTENT, Intent, Key, Resource, Store, parse, parse_intent

KEY = Key("shop", "orders")
FIRST, SECOND = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
_INTENT = Intent(
    "shop/orders", "123456789012", "eu-west-1", "orders", "arn", ("b:1", "a:1"), ("batchSize",), ("team",), {"x": "y"}
)


def body(version: str = "1", uid: str = "uid-1", uuid: str = "", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "shop", "name": "orders", "uid": uid, "resourceVersion": version, **metadata},
        "spec": {"functionName": "orders"},
        "status": {"uuid": uuid} if uuid else {},
    }


def resource(version: str = "1", uid: str = "uid-1", uuid: str = "") -> Resource:
    return parse(body(version, uid, uuid))


def test_an_object_is_read() -> None:
    read = parse(
        body(
            uuid=FIRST,
            generation=3,
            deletionTimestamp="2026-01-01T00:00:00Z",
            finalizers=[FINALIZER],
            annotations={INTENT: _INTENT.render()},
        )
    )
    assert (read.key, read.generation, read.deleting, read.has_finalizer) == (KEY, 3, True, True)
    assert read.uuid == FIRST
    assert read.intent == _INTENT


def test_a_uuid_that_was_spoilt_by_hand_is_none() -> None:
    assert resource(uuid="garbage").uuid == ""


def test_an_intent_that_was_spoilt_by_hand_is_none() -> None:
    for text in (None, "", "{}", "[]", "no JSON", '{"account": 1}', "1"):
        assert parse_intent(text) is None


_texts = st.text(max_size=10)


@given(
    st.builds(
        Intent,
        owner=_texts,
        account=_texts,
        region=_texts,
        function=_texts,
        source=_texts,
        servers=st.lists(_texts).map(tuple),
        fields=st.lists(_texts).map(tuple),
        tags=st.lists(_texts).map(tuple),
        immutable=st.dictionaries(_texts, _texts),
    )
)
def test_an_intent_is_read_as_it_was_written(intent: Intent) -> None:
    assert parse_intent(intent.render()) == intent


def test_only_newer_versions_are_taken() -> None:
    store = Store()
    assert store.put(resource("9")) is None
    older, newer = resource("8"), resource("10")
    assert store.put(older) is older
    assert store.put(newer) == resource("9")
    assert store.get(KEY) is newer
    same = resource("10", uuid=FIRST)
    assert store.put(same) is same


def test_a_new_incarnation_is_taken_whatever_its_version() -> None:
    store = Store()
    store.put(resource("9"))
    again = resource("3", uid="uid-2")
    store.put(again)
    assert store.get(KEY) is again


def test_only_the_incarnation_that_is_meant_is_forgotten() -> None:
    store = Store()
    store.put(resource("9", uid="uid-2"))
    assert not store.forget(KEY, "uid-1")
    assert store.forget(KEY, "uid-2")
    assert not store.forget(KEY)
    assert len(store) == 0


def test_resources_are_found_by_the_uuid_of_their_mapping() -> None:
    store = Store()
    store.put(resource("1", uuid=FIRST))
    assert store.known_uuids([FIRST, SECOND]) == [FIRST]
    assert store.keys_of([FIRST, SECOND]) == [KEY]
    store.forget(KEY)
    assert store.known_uuids([FIRST]) == []


def test_a_mapping_that_was_made_again_is_found_by_its_new_uuid_only() -> None:
    store = Store()
    store.put(resource("1", uuid=FIRST))
    store.put(resource("2", uuid=SECOND))
    assert store.keys_of([FIRST, SECOND]) == [KEY]
