"""The limits of answers of AWS: all that AWS sends passes, and nothing larger is read or parsed."""

import json
import tracemalloc
from typing import Any

import pytest

from esm_operator.api.frozen_json import FrozenJSON, shared
from esm_operator.aws import answer_limits
from esm_operator.aws.answer_limits import (
    FEW_ITEMS,
    MOST_ITEMS,
    MOST_OF_OTHER,
    MOST_OF_PAGE,
    ListLimit,
    check_size,
    check_values,
    memory_of_tags,
)
from esm_operator.aws.errors import (
    TooLargeAnswerError,
    TooLongListError,
    UnreadableAnswerError,
    is_doubtful,
    readable,
)

LIST = "ListEventSourceMappings"


def largest_page(letter: str, mappings: int) -> bytes:
    """A page of mappings with the most and the longest filters."""
    pattern = json.dumps({"body": {"kind": [""]}})
    pattern = pattern.replace('""', f'"{letter * (4_096 - len(pattern))}"')
    mapping: dict[str, Any] = {
        "UUID": "1" * 36,
        "EventSourceArn": "a" * 1_024,
        "FunctionArn": "f" * 300,
        "Topics": ["t" * 249],
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["s" * 300] * 10}},
        "SourceAccessConfigurations": [{"Type": "VPC_SECURITY_GROUP", "URI": "u" * 200}] * 29,
        "FilterCriteria": {"Filters": [{"Pattern": pattern}] * 20},
    }
    return json.dumps(
        {"EventSourceMappings": [mapping] * mappings, "NextMarker": "n" * 1_000}, ensure_ascii=False
    ).encode()


@pytest.mark.parametrize("letter", ["a", "é", "日", "🙂", '\\"'])
def test_the_largest_page_of_ten_mappings_passes(letter: str) -> None:
    page = largest_page(letter, FEW_ITEMS)
    assert len(page) > 800_000
    check_size(LIST, len(page))
    check_values(LIST, page)


def test_many_mappings_have_not_too_many_values() -> None:
    check_values(LIST, largest_page("a", MOST_ITEMS))


@pytest.mark.parametrize("text", ["a", "ab", "🙂" * 100])
def test_the_memory_of_tags_is_not_less_than_they_take(text: str) -> None:
    tags = [{f"{text}{number}": f"{text}{item}" for number in range(50)} for item in range(500)]
    tracemalloc.start()
    kept = json.loads(json.dumps(tags))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= sum(map(memory_of_tags, kept)) <= 3 * taken


def test_a_long_list_is_refused_and_counts_empty_pages() -> None:
    limit = ListLimit(1_000)
    for _ in range(5):
        limit.count(range(100))
    for _ in range(50):
        limit.count([])
    with pytest.raises(TooLongListError, match="more than 1,000 mappings"):
        limit.count([])


def test_a_list_with_much_text_is_refused() -> None:
    limit = ListLimit(1_000, "Do this.")
    limit.count(range(100), 1_999_999)
    with pytest.raises(TooLongListError, match=r"too much memory with the tags\. Do this\.$"):
        limit.count(range(100), 2)


@pytest.mark.parametrize(
    ("operation", "most"),
    [(LIST, MOST_OF_PAGE), ("GetResources", MOST_OF_PAGE), ("ListTags", MOST_OF_OTHER), ("", MOST_OF_OTHER)],
)
def test_larger_answers_are_refused(operation: str, most: int) -> None:
    check_size(operation, most)
    with pytest.raises(TooLargeAnswerError, match="bytes"):
        check_size(operation, most + 1)


@pytest.mark.parametrize(
    "body",
    [b"[" + b"[]," * 700_000 + b"[]]", b'["' + b'","' * 700_000 + b'"]', b"[" + b"{}," * 700_000, b'"' * 2_000_000],
)
def test_many_small_values_are_refused(body: bytes) -> None:
    with pytest.raises(TooLargeAnswerError, match="values"):
        check_values(LIST, body)


def test_a_refused_answer_leaves_the_outcome_of_a_write_open() -> None:
    assert is_doubtful(TooLargeAnswerError(operation=LIST, most="1 byte"))
    assert isinstance(readable(RecursionError("maximum recursion depth exceeded"), LIST), UnreadableAnswerError)
    quoting = RuntimeError("Unable to calculate correct timezone offset for \x1b[2J")
    assert isinstance(readable(quoting, LIST), UnreadableAnswerError)
    assert not str(readable(quoting, LIST)).count("\x1b")
    assert answer_limits.MOST_TAGS >= 50


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\ud800", "\ufffd"),
        ("a\udc00b", "a\ufffdb"),
        ("🙂", "🙂"),
        ("\\ud800", "\\ud800"),
        ("\\\ud800", "\\\ufffd"),
        ("\ud83d\ud83d", "\ufffd\ufffd"),
    ],
)
def test_half_characters_are_kept_as_the_api_server_stores_them(text: str, kept: str) -> None:
    assert shared({text: text}) == {kept: kept}
    assert FrozenJSON({"a": text})["a"] == kept
