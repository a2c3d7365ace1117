"""The watch cache: watch events and the answers of own writes arrive in any order."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.annotations import ALLOW_TAKEOVER_BY, INTENT, ORPHAN, PAUSED
from esm_operator.api.fields import BY_PATH
from esm_operator.api.resource import FINALIZER, Intent, Key, Resource, parse, parse_intent
from esm_operator.cluster.resource_cache import ResourceCache

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


@pytest.mark.parametrize(
    ("named", "consent", "taken"),
    [
        ("shop/orders", "", True),
        ("prod/shop/orders", "", True),
        ("elsewhere/shop/orders", "", False),
        ("shop/others", "", False),
        ("bank/orders", "", False),
        ("bank/orders", "shop/heir", True),
        ("", "", False),
    ],
)
def test_who_has_taken_over_from_a_resource_that_is_forgotten(named: str, consent: str, taken: bool) -> None:
    """The watch can show the end of a resource before the API server answers the request that caused it."""
    namespace = "bank" if named.startswith("bank/") else "shop"
    annotations = {"lambda.esm-operator.io/allow-takeover-by": consent}
    former = parse(body(namespace=namespace, annotations=annotations if consent else {}))
    heir = body(uid="uid-2", name="heir")
    heir["spec"] |= {"adoption": {"policy": "Adopt", "takeOverFrom": named}}
    cache = ResourceCache()
    cache.put(parse(heir))
    assert cache.has_taken_over(Key("shop", "heir"), former, "prod") == taken
    assert not cache.has_taken_over(Key("shop", "unknown"), former, "prod")


@pytest.mark.parametrize("way", ["put", "update_if_present", "keep_removed", "successor"])
def test_each_resource_that_is_taken_has_the_values_of_its_references(way: str) -> None:
    """Without them, a plan would reset fields or replace the mapping."""
    queue = {"apiVersion": "sqs.services.k8s.aws/v1alpha1", "kind": "Queue", "name": "orders"}
    arn, cache = "arn:aws:sqs:eu-west-1:123456789012:orders", ResourceCache()
    refers = {
        "spec": {"functionName": "orders", "eventSourceRef": queue},
        "status": {"references": [{"field": "eventSourceRef", **queue, "value": arn}]},
    }
    plain = parse(body("2", uid="uid-2") | refers)
    assert plain.outdated is None
    if way == "put":
        cache.put(plain)
    elif way == "update_if_present":
        cache.put(resource())
        cache.update_if_present(plain)
    elif way == "keep_removed":
        cache.keep_removed(plain)
    else:
        cache.keep_removed(resource())
        cache.put(plain)
        cache.forget(KEY)
    taken = cache.get(KEY)
    assert taken is not None
    assert taken.uid == plain.uid
    assert taken.packed_spec["eventSourceARN"] == arn
    assert taken.outdated is not None, "it was looked up"


def test_a_reference_without_a_recorded_value_leaves_its_field_absent() -> None:
    function = {"apiVersion": "lambda.services.k8s.aws/v1alpha1", "kind": "Function", "name": "orders"}
    queue = {"apiVersion": "sqs.services.k8s.aws/v1alpha1", "kind": "Queue", "name": "orders"}
    arn, cache = "arn:aws:lambda:eu-west-1:123456789012:function:orders", ResourceCache()
    refers = {
        "spec": {"functionRef": function, "eventSourceRef": queue},
        "status": {"references": [{"field": "functionRef", **function, "value": arn}]},
    }
    cache.put(parse(body() | refers))
    taken = cache.get(KEY)
    assert taken is not None
    assert {**taken.packed_spec} == {**refers["spec"], "functionName": arn}


def test_a_removed_resource_without_its_source_has_the_region_of_its_intent() -> None:
    """The DELETED event of an object that had the finalizer shows no deletion."""
    function = {"apiVersion": "lambda.services.k8s.aws/v1alpha1", "kind": "Function", "name": "orders"}
    queue = {"apiVersion": "sqs.services.k8s.aws/v1alpha1", "kind": "Queue", "name": "orders"}
    arn = "arn:aws:lambda:eu-west-3:123456789012:function:orders"
    intent = Intent("shop/orders", "123456789012", "eu-west-3", "orders", "", (), (), (), {})
    removed = body(annotations={INTENT: intent.render()}, finalizers=[FINALIZER]) | {
        "spec": {"functionRef": function, "eventSourceRef": queue},
        "status": {"references": [{"field": "functionRef", **function, "value": arn}]},
    }
    cache = ResourceCache()
    cache.put(cache.parse(removed))
    cache.keep_removed(cache.parse(removed))
    kept = cache.get(KEY)
    assert kept is not None
    assert kept.requested_target.region == "eu-west-3"


def test_a_kind_that_is_never_read_is_neither_discovered_nor_watched() -> None:
    """An older CRD may have accepted the reference."""
    cache = ResourceCache()
    secret = {"apiVersion": "v1", "kind": "Secret", "name": "orders", "fieldPath": "data.arn"}
    own = {**secret, "apiVersion": "lambda.esm-operator.io/v1", "kind": "ProviderConfig"}
    cache.put(parse(body() | {"spec": {"functionRef": own, "eventSourceRef": secret}}))
    assert (cache.references.unserved(), [*cache.references.scopes()]) == ({}, [])
    assert not cache.references.needs_changed.is_set()
    cache.forget(KEY)


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


@pytest.mark.parametrize(
    ("value", "paused", "orphan"),
    [
        ("true", True, True),
        ("True", True, True),
        ("yes", True, False),
        ("ture", True, False),
        ("false", False, False),
        ("no", False, False),
        ("0", False, False),
        ("", False, False),
    ],
)
def test_an_unclear_annotation_value_pauses_and_never_orphans(value: str, paused: bool, orphan: bool) -> None:
    read = parse(body(annotations={PAUSED: value, ORPHAN: value}))
    assert (read.paused, read.orphan) == (paused, orphan)


def test_an_invalid_uuid_in_the_status_is_ignored() -> None:
    assert resource(uuid="garbage").uuid == ""


def test_an_invalid_intent_is_ignored() -> None:
    parts = json.loads(_INTENT.render())
    hostile = [{**parts, "servers": [{"a": 1}]}, {**parts, "immutable": {"x": []}}, {**parts, "immutable": "x"}]
    deep = "[" * 100_000
    for name in parts.keys() - {"immutable"}:
        hostile += [{**parts, name: "x" * 50_000}, {**parts, name: ["x" * 50_000]}, {**parts, name: 1}]
    hostile += [
        {**parts, "account": 123456789012},
        {**parts, "account": "1234"},
        {**parts, "region": "eu-west-1\nx"},
        {**parts, "region": "moon"},
        {**parts, "region": f"e{'u' * 100}-west-1"},
        {**parts, "function": "orders\n"},
        {**parts, "function": "https://example.com"},
        {**parts, "fields": ["batchSize"] * 1000},
        {**parts, "fields": ["a b"]},
        {**parts, "tags": ["x" * 129]},
        {**parts, "immutable": {"x\n": "1"}},
        {**parts, "immutable": {f"x{number}": "1" for number in range(1000)}},
        {**parts, "waiting_since": "yesterday"},
        {**parts, "owner": "shop"},
    ]
    for text in ("", "{}", "[]", "no JSON", '{"account": 1}', "1", deep, *map(json.dumps, hostile)):
        assert parse_intent(text) is None


_texts = st.text(max_size=10)
_paths = st.sampled_from([*sorted(BY_PATH), "sourceAccessConfigurations[SASL_SCRAM_512_AUTH]"])


@given(
    st.builds(
        Intent,
        owner=st.sampled_from(["shop/orders", f"{'n' * 63}/{'o.rders' * 36}"]),
        account=st.from_regex("[0-9]{12}", fullmatch=True).filter(str.isascii),
        region=st.sampled_from(["eu-west-1", "us-gov-east-1", "eusc-de-east-1", "cn-north-1"]),
        function=st.sampled_from(["orders", "orders:live", "f" * 64 + ":" + "v" * 128, "a.b-c_d:$LATEST.PUBLISHED"]),
        source=_texts,
        servers=st.lists(_texts).map(tuple),
        fields=st.lists(_paths).map(tuple),
        tags=st.lists(_texts).map(tuple),
        immutable=st.dictionaries(_paths, _texts),
        waiting_since=st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+00:00"]),
    )
)
def test_an_intent_is_read_as_it_was_written(intent: Intent) -> None:
    assert parse_intent(intent.render()) == intent


def test_only_newer_versions_replace_the_cached_one() -> None:
    cache = ResourceCache()
    assert cache.put(resource("9")) is None
    older, newer = resource("8"), resource("10")
    assert cache.put(older) is older
    assert cache.put(newer) == resource("9")
    assert cache.get(KEY) is newer
    same = resource("10", uuid=FIRST)
    assert cache.put(same) is same


def test_the_cached_object_is_returned_for_the_same_or_an_earlier_version() -> None:
    cache = ResourceCache()
    cache.put(resource("2"))
    known = cache.get(KEY)
    for version in ("2", "1"):
        assert cache.get_if_as_new(body(version)) is known
    for other in (body("3", uuid=FIRST), body("x"), body("2", uid="uid-2")):
        assert cache.get_if_as_new(other) is None


@pytest.mark.parametrize(
    ("known", "said", "forgotten"),
    [("9", "10", True), ("9", "9", True), ("11", "10", False), ("later", "sooner", True)],
)
def test_a_deletion_older_than_the_cached_version_is_ignored(known: str, said: str, forgotten: bool) -> None:
    """A resource may get its label again. A single read makes its state known immediately."""
    cache = ResourceCache()
    cache.put(resource(known))
    assert cache.delete(resource(said)) is forgotten
    assert (cache.get(KEY) is None) is forgotten
    assert not cache.delete(parse(body("99", "uid-2"))), "another incarnation is no word about this one"


def test_a_new_object_of_the_name_replaces_the_old_one_and_never_the_reverse() -> None:
    cache = ResourceCache()
    first = parse(body("9", creationTimestamp="2026-01-01T00:00:00Z"))
    again = parse(body("3", "uid-2", creationTimestamp="2026-01-01T00:00:01Z"))
    cache.put(first)
    cache.put(again)
    assert cache.get(KEY) is again
    cache.put(first)
    assert cache.get(KEY) is again
    at_once = parse(body("4", "uid-3", creationTimestamp="2026-01-01T00:00:01Z"))
    cache.put(at_once)
    cache.put(again)
    assert cache.get(KEY) is at_once


def test_only_the_object_with_the_given_uid_is_forgotten() -> None:
    cache = ResourceCache()
    cache.put(resource("9", uid="uid-2"))
    assert not cache.forget(KEY, "uid-1")
    assert cache.forget(KEY, "uid-2")
    assert not cache.forget(KEY)
    assert len(cache) == 0


def test_resources_are_found_by_the_uuid_of_their_mapping() -> None:
    cache = ResourceCache()
    cache.put(resource("1", uuid=FIRST))
    assert cache.known_uuids([FIRST, SECOND]) == [FIRST]
    assert cache.keys_of([FIRST, SECOND]) == [KEY]
    cache.forget(KEY)
    assert cache.known_uuids([FIRST]) == []


def test_a_mapping_in_two_statuses_is_found_for_both() -> None:
    cache = ResourceCache()
    cache.put(resource("1", uuid=FIRST))
    other = body("2", uid="uid-2", uuid=FIRST)
    other["metadata"]["name"] = "watching"
    cache.put(parse(other))
    watching = Key("shop", "watching")
    assert cache.keys_of([FIRST]) == [KEY, watching]
    cache.forget(watching)
    assert cache.keys_of([FIRST]) == [KEY]
    cache.forget(KEY)
    assert cache.keys_of([FIRST]) == []
    assert cache.known_uuids([FIRST]) == []


def claimant(name: str, created: str, **more: Any) -> Resource:
    """A resource that may adopt the mapping of a function and a queue."""
    adoption = {"policy": "IfExists"}
    source = "arn:aws:sqs:eu-west-1:123456789012:orders"
    return parse(
        {
            "metadata": {
                "namespace": "shop",
                "name": name,
                "uid": f"uid-{name}",
                "resourceVersion": "1",
                "creationTimestamp": created,
                **more.get("metadata", {}),
            },
            "spec": {"functionName": "orders", "eventSourceARN": source, "adoption": adoption, **more.get("spec", {})},
            "status": more.get("status", {}),
        }
    )


FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"


@pytest.mark.parametrize(
    ("other", "comes_first"),
    [
        (claimant("a", "2026-01-01T00:00:00Z"), True),
        (claimant("a", "2026-01-01T00:00:00Z", spec={"functionName": FUNCTION_ARN}), True),
        (claimant("a", "2026-01-02T00:00:00Z"), True),
        (claimant("c", "2026-01-02T00:00:00Z"), False),
        (claimant("a", "2026-01-03T00:00:00Z"), False),
        (claimant("a", "2026-01-01T00:00:00Z", spec={"adoption": None}), False),
        (claimant("a", "2026-01-01T00:00:00Z", spec={"functionName": "returns"}), False),
        (claimant("a", "2026-01-01T00:00:00Z", spec={"managementPolicy": "Observe"}), False),
        (claimant("a", "2026-01-01T00:00:00Z", spec={"adoption": {"policy": "IfExists", "uuid": FIRST}}), True),
        (claimant("a", "2026-01-01T00:00:00Z", spec={"adoption": {"policy": "IfExists", "uuid": SECOND}}), False),
        (claimant("a", "2026-01-01T00:00:00Z", status={"uuid": FIRST}), False),
        (claimant("a", "2026-01-01T00:00:00Z", metadata={"deletionTimestamp": "2026-01-02T00:00:00Z"}), False),
        (
            claimant("a", "2026-01-01T00:00:00Z", metadata={"annotations": {"lambda.esm-operator.io/paused": "true"}}),
            False,
        ),
        (
            claimant(
                "a",
                "2026-01-01T00:00:00Z",
                metadata={"generation": 1},
                status={"observedGeneration": 1, "conditions": [{"type": "Stalled", "status": "True"}]},
            ),
            False,
        ),
        (
            claimant(
                "a",
                "2026-01-01T00:00:00Z",
                metadata={"generation": 1},
                status={
                    "observedGeneration": 1,
                    "conditions": [{"type": "Ready", "status": "False", "reason": "ProviderConfigNotFound"}],
                },
            ),
            False,
        ),
    ],
)
def test_of_two_claimants_the_older_comes_first(other: Resource, comes_first: bool) -> None:
    cache = ResourceCache()
    mine = claimant("b", "2026-01-02T00:00:00Z")
    cache.put(other)
    cache.put(mine)
    assert cache.older_claimant(mine, [FIRST], everybody) == (f"shop/{other.key.name}" if comes_first else "")
    assert cache.older_claimant(mine, [FIRST], lambda _: False) == ""
    cache.forget(other.key)
    assert cache.older_claimant(mine, [FIRST], everybody) == ""


def everybody(_: Resource) -> bool:
    return True


def test_of_many_claimants_the_oldest_that_may_adopt_comes_first() -> None:
    cache = ResourceCache()
    mine = claimant("z", "2026-01-02T00:00:00Z")
    cache.put(mine)
    for name in "cab":
        cache.put(claimant(name, "2026-01-01T00:00:00Z"))
    cache.put(claimant("0", "2026-01-01T00:00:00Z", spec={"adoption": {"policy": "IfExists", "uuid": FIRST}}))
    assert cache.older_claimant(mine, [FIRST], everybody) == "shop/0"
    assert cache.older_claimant(mine, [SECOND], everybody) == "shop/a"
    cache.put(claimant("a", "2026-01-01T00:00:00Z", metadata={"resourceVersion": "2"}, status={"uuid": FIRST}))
    assert cache.older_claimant(mine, [SECOND], everybody) == "shop/b"


def test_claimants_of_one_namespace_and_target_are_checked_once() -> None:
    cache, checked = ResourceCache(), list[Key]()

    def may_adopt(other: Resource) -> bool:
        checked.append(other.key)
        return False

    for number in range(1_000):
        cache.put(claimant(f"a{number}", "2026-01-01T00:00:00Z"))
        cache.put(claimant(f"b{number}", "2026-01-01T00:00:00Z", spec={"providerConfigRef": {"name": "b"}}))
    assert cache.older_claimant(claimant("z", "2026-01-02T00:00:00Z"), [FIRST], may_adopt) == ""
    assert len(checked) == 2


def test_a_consent_counts_while_a_known_resource_gives_it() -> None:
    cache, taker = ResourceCache(), Key("bank", "taker")

    def giver(version: str, text: str) -> Resource:
        return parse(body(version, annotations={ALLOW_TAKEOVER_BY: text}))

    assert cache.consenting_to(taker) == frozenset()
    cache.put(giver("1", "bank/taker, bank/other"))
    assert cache.consenting_to(taker) == cache.consenting_to(Key("bank", "other")) == {KEY}
    cache.put(giver("2", "bank/other"))
    assert cache.consenting_to(taker) == frozenset()
    cache.put(giver("3", "bank/taker"))
    assert cache.consenting_to(taker) == {KEY}
    cache.forget(KEY)
    assert cache.consenting_to(taker) == frozenset()


def test_a_status_without_tags_does_not_hide_the_recorded_tags_of_another_one() -> None:
    cache = ResourceCache()
    for name, tags in (("a", {}), ("b", {"tagsAll": {"team": "shop"}})):
        cache.put(parse({**body(name=name), "status": {"uuid": FIRST, **tags}}))
    assert cache.recorded_tags(cache.keys_of([FIRST])) == {"team": "shop"}


def test_a_recreated_mapping_is_found_only_by_its_new_uuid() -> None:
    cache = ResourceCache()
    cache.put(resource("1", uuid=FIRST))
    cache.put(resource("2", uuid=SECOND))
    assert cache.keys_of([FIRST, SECOND]) == [KEY]


def test_an_answer_updates_cached_objects_and_does_not_restore_forgotten_ones() -> None:
    cache = ResourceCache()
    cache.put(resource("1"))
    cache.update_if_present(resource("2"))
    assert cache.get(KEY) == resource("2")
    cache.forget(KEY)
    cache.update_if_present(resource("3"))
    assert cache.get(KEY) is None, "it may have left what the watch is about"


# -- Objects that were removed although they had the finalizer --------------------------------------------


def removed(version: str = "3", uid: str = "uid-1") -> Resource:
    """The last state of a removed object, as the watch shows it."""
    return parse(body(version, uid, finalizers=[FINALIZER], creationTimestamp="2026-01-01T00:00:00Z"))


def successor(version: str = "4", uid: str = "uid-2") -> Resource:
    """A new object with the same name."""
    return parse(body(version, uid, creationTimestamp="2026-01-01T00:00:01Z"))


@pytest.mark.parametrize(
    ("finalizers", "deletion", "expected"),
    [([FINALIZER], False, True), ([FINALIZER], True, False), ([], False, False), (["other"], False, False)],
)
def test_the_last_state_shows_whether_an_object_was_removed_with_its_finalizer(
    finalizers: list[str], deletion: bool, expected: bool
) -> None:
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deletion else {}
    assert parse(body(finalizers=finalizers, **metadata)).removed_despite_finalizer is expected


def test_a_removed_object_counts_as_being_deleted_until_it_is_forgotten() -> None:
    cache = ResourceCache()
    cache.put(resource())
    cache.keep_removed(removed())
    kept = cache.get(KEY)
    assert kept is not None
    assert (kept.removed, kept.deleting) == (True, True)
    assert cache.get_if_as_new(body("2")) is kept, "a late event of it changes nothing"
    assert cache.forget(KEY, "uid-1")
    assert cache.get(KEY) is None


def test_a_new_object_is_cached_when_the_removed_one_of_its_name_is_forgotten() -> None:
    cache = ResourceCache()
    cache.keep_removed(removed())
    new = successor()
    assert cache.put(new) is new, "no listener has been called yet"
    assert cache.has_successor(KEY)
    newer = successor("5")
    cache.put(newer)
    cache.put(successor("4"))
    cache.forget(KEY, "uid-1")
    assert cache.get(KEY) is newer
    assert not cache.has_successor(KEY)


def test_a_new_object_that_is_cached_already_waits_too() -> None:
    cache = ResourceCache()
    new = successor()
    cache.put(new)
    cache.keep_removed(removed())
    cache.forget(KEY, "uid-1")
    assert cache.get(KEY) is new


def test_a_new_object_that_is_deleted_meanwhile_is_not_cached() -> None:
    cache = ResourceCache()
    cache.keep_removed(removed())
    cache.put(successor())
    cache.delete(successor("6"))
    cache.forget(KEY, "uid-1")
    assert cache.get(KEY) is None


def test_an_object_that_lost_its_label_for_a_while_is_cached_again() -> None:
    cache = ResourceCache()
    cache.keep_removed(removed())
    back = parse(body("4", finalizers=[FINALIZER]))
    cache.put(back)
    cache.forget_removed(-1)
    assert cache.get(KEY) is back


def test_removed_objects_are_forgotten_after_some_time() -> None:
    cache = ResourceCache()
    cache.keep_removed(removed())
    cache.forget_removed(3600)
    assert cache.get(KEY) is not None
    cache.forget_removed(-1)
    assert cache.get(KEY) is None
    assert not cache.counts() or not any(cache.counts().values())
