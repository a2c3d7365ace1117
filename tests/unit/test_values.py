"""Canonical values: a value that AWS rewrites compares equal, and a different value does not."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api import values
from tests.refusals import UNREADABLE_TIMES

JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
)
NAMES = st.text("abcdefghijkXYZ0123-_", min_size=1, max_size=20)
QUALIFIERS = st.sampled_from(["", "$LATEST", "live", "7"])
ACCESS = st.lists(
    st.fixed_dictionaries(
        {"Type": st.sampled_from(["VPC_SUBNET", "VPC_SECURITY_GROUP", "BASIC_AUTH"])},
        optional={"URI": st.text("abc-:", min_size=1, max_size=8)},
    ),
    max_size=5,
)


@given(JSON)
def test_white_space_and_order_in_a_pattern_are_no_difference(pattern: Any) -> None:
    written = json.dumps(pattern, indent=2)
    rewritten = json.dumps(pattern, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert values.json_text(written) == values.json_text(rewritten)
    assert json.loads(values.json_text(written)) == pattern


@given(st.text())
def test_a_normalized_pattern_stays_unchanged(text: str) -> None:
    once = values.json_text(text)
    assert values.json_text(once) == once


@pytest.mark.parametrize("start", ["[", '{"a":'])
def test_a_pattern_that_is_nested_too_deeply_is_unchanged(start: str) -> None:
    """Reading the spec must not fail. The resource becomes Stalled, and users can delete it."""
    nested = start * 4_000 + ("]" * 4_000 if start == "[" else "1" + "}" * 4_000)
    assert values.json_text(nested) == nested


@pytest.mark.parametrize("stamp", UNREADABLE_TIMES)
def test_a_time_that_python_cannot_read_is_unchanged(stamp: str) -> None:
    """Reading the spec must not fail. The resource becomes Stalled, and users can delete it."""
    assert values.timestamp(stamp) == stamp


@pytest.mark.parametrize("stamp", ["2026-01-01T00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01T02:00:00.5+02:00"])
def test_each_way_to_write_a_time_is_the_same(stamp: str) -> None:
    assert values.timestamp(stamp) == datetime(2026, 1, 1, tzinfo=UTC).timestamp()


@given(st.text() | st.floats() | st.integers())
def test_no_value_of_a_time_is_an_error(value: Any) -> None:
    assert isinstance(values.timestamp(value), int | str)


@given(st.lists(st.text(), max_size=5), st.randoms())
def test_the_order_of_names_is_no_difference(items: list[str], random: Any) -> None:
    mixed = list(items)
    random.shuffle(mixed)
    assert values.names(mixed) == values.names(items)


@given(ACCESS, st.randoms())
def test_the_order_of_access_configurations_is_no_difference(items: list[dict[str, str]], random: Any) -> None:
    mixed = list(items)
    random.shuffle(mixed)
    assert values.access_configurations(mixed) == values.access_configurations(items)


def test_subnets_are_the_same_with_and_without_prefix() -> None:
    bare = [{"Type": "VPC_SUBNET", "URI": "subnet-1"}, {"Type": "VPC_SECURITY_GROUP", "URI": "sg-1"}]
    full = [
        {"Type": "VPC_SECURITY_GROUP", "URI": "security_group:sg-1"},
        {"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"},
    ]
    assert values.access_configurations(bare) == values.access_configurations(full)


@given(NAMES, QUALIFIERS)
def test_a_function_is_the_same_by_name_partial_arn_and_arn(name: str, qualifier: str) -> None:
    tail = f":{qualifier}" if qualifier else ""
    spellings = [
        f"{name}{tail}",
        f"function:{name}{tail}",
        f"123456789012:function:{name}{tail}",
        f"arn:aws:lambda:eu-west-1:123456789012:function:{name}{tail}",
        f"arn:aws-us-gov:lambda:eu-west-1:123456789012:function:{name}{tail}",
    ]
    for one in spellings:
        for other in spellings:
            assert values.equal(values.function(one), values.function(other))


@given(NAMES, NAMES)
def test_functions_of_other_names_accounts_and_aliases_differ(one: str, other: str) -> None:
    assert values.equal(values.function(one), values.function(other)) == (one == other)
    arn = "arn:aws:lambda:eu-west-1:{}:function:{}"
    ours, theirs = arn.format("1" * 12, one), arn.format("2" * 12, one)
    assert not values.equal(values.function(ours), values.function(theirs))
    assert not values.equal(values.function(one), values.function(f"{one}:live"))


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_timestamp_is_the_same_as_text_number_and_moment(moment: datetime) -> None:
    seconds = int(moment.timestamp())
    assert values.timestamp(moment.isoformat()) == seconds
    assert values.timestamp(moment.timestamp()) == seconds
    assert values.timestamp(moment) == seconds


def test_empty_is_absent() -> None:
    assert values.scalar("") is None
    assert values.names([]) is None
    assert values.filters({}) is None
    assert values.filters({"Filters": []}) is None
    assert values.access_configurations([]) is None
    assert values.structure({"AccessConfigs": []}) is None
    assert values.scalar(False) is False
    assert values.scalar(0) == 0
