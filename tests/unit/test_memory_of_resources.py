"""The memory of one resource in the cache is limited, whatever a user writes into it."""

import json
import sys
from typing import Any

import pytest

from esm_operator.api import frozen_json
from esm_operator.api.annotations import PREFIX
from esm_operator.api.limits import LONGEST_PATTERN, LONGEST_TAG_KEY, MOST_TAGS
from esm_operator.api.resource import LONGEST_INTENT, Intent, Resource, parse, parse_intent

EMOJI = "\U0001f600"
#: The most bytes that a resource of a user may take while its etcd object is of the greatest size.
MOST = 512 * 1024


def resource(spec: dict[str, Any] | None = None, **annotations: str) -> Resource:
    meta = {"namespace": "shop", "name": "orders", "uid": "u", "resourceVersion": "1"}
    named = {f"{PREFIX}{name}": value for name, value in annotations.items()}
    return parse({"metadata": {**meta, "annotations": named}, "spec": {"functionName": "orders", **(spec or {})}})


def memory(one: Resource) -> int:
    """Bytes that the texts of a resource take."""
    return one.packed_spec.size + one.packed_status.size + sys.getsizeof(one.intent_annotation)


def test_a_resource_of_the_greatest_size_takes_no_more_memory_than_in_etcd() -> None:
    filters = [{"pattern": json.dumps({"a": [EMOJI * (LONGEST_PATTERN - 10)]}, ensure_ascii=False)} for _ in range(20)]
    spec = {"filterCriteria": {"filters": filters}}
    in_etcd = len(json.dumps(spec, ensure_ascii=False).encode())
    assert memory(resource(spec, intent="x" * 261_900 + EMOJI)) < in_etcd + 2_000
    assert in_etcd < MOST


@pytest.mark.parametrize("text", ["x" * (LONGEST_INTENT + 1), "x" * 262_000, EMOJI, "x" * 1_000 + "\ud800"])
def test_nothing_is_kept_of_an_intent_that_the_operator_cannot_have_written(text: str) -> None:
    one, other = resource(intent=text), resource(intent=f"{text}x")
    assert memory(one) < 2_000
    assert one.intent is None
    assert one.intent_ignored
    assert one.intent_annotation != other.intent_annotation, "a change is noticed"


def test_the_longest_intent_of_the_operator_counts() -> None:
    queue = EMOJI * 1_000
    intent = Intent(
        owner=f"{'n' * 63}/{'o' * 253}",
        account="123456789012",
        region="eu-west-1",
        function="f" * 64 + ":" + "v" * 128,
        source=f"arn:aws:mq:eu-west-1:123456789012:broker:{'b' * 200}|{queue}",
        servers=tuple(f"{number}{'s' * 299}" for number in range(10)),
        fields=tuple(f"selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS.{number}" for number in range(100)),
        tags=tuple(f"{number:02}{chr(0x20000) * (LONGEST_TAG_KEY - 2)}" for number in range(MOST_TAGS)),
        immutable={"queues": json.dumps([queue])} | {f"sourceAccessConfigurations[{n}]": "u" * 200 for n in range(29)},
    )
    text = intent.render()
    assert 100_000 < len(text) < LONGEST_INTENT
    assert parse_intent(resource(intent=text).intent_annotation) == intent


def test_the_longest_answer_to_a_request_to_reconcile_is_limited() -> None:
    body = {
        "metadata": {"namespace": "shop", "name": "orders", "uid": "u", "resourceVersion": "1"},
        "status": {"lastHandledReconcileAt": "x" * 10_000},
    }
    assert len(parse(body).handled_reconcile_at) < 300


def test_few_large_objects_stay_parsed() -> None:
    parsed: list[str] = []

    @frozen_json.at_hand
    def parse_text(text: str) -> int:
        parsed.append(text[:1])
        return len(text)

    small = [str(number) for number in range(frozen_json.AT_HAND)]
    for text in [*small, *small]:
        parse_text(text)
    assert len(parsed) == len(small)
    parsed.clear()
    large = [letter * (frozen_json.LARGE + 1) for letter in "abcdef"]
    for text in [*large, *large[-frozen_json.LARGE_AT_HAND :], *large[:1]]:
        parse_text(text)
    assert parsed == [*"abcdef", "a"]
