"""FrozenJSON: a packed document is read as it was."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.frozen_json import FrozenJSON, shared

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
DOCUMENTS = st.dictionaries(st.text(), VALUES, max_size=5)


@given(DOCUMENTS)
def test_a_packed_document_is_read_as_it_was(document: dict[str, Any]) -> None:
    packed = FrozenJSON(document)
    assert packed == document
    assert document == packed
    assert dict(packed) == document
    assert len(packed) == len(document)
    assert bool(packed) == bool(document)
    assert all(packed[name] == value and name in packed for name, value in document.items())
    assert packed.get("\x00nowhere") is None


@given(DOCUMENTS, DOCUMENTS)
def test_two_documents_are_equal_if_their_contents_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert FrozenJSON(one) == FrozenJSON(other)
        assert hash(FrozenJSON(one)) == hash(FrozenJSON(other))
    else:
        assert FrozenJSON(one) != FrozenJSON(other)


def test_the_order_of_names_does_not_matter() -> None:
    assert FrozenJSON({"a": 1, "b": 2}) == FrozenJSON({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), "2026-01-02T03:04:05.678000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))), "2026-01-02T03:04:05+01:00"),
    ],
)
def test_times_become_text(moment: datetime, text: str) -> None:
    assert FrozenJSON({"LastModified": moment})["LastModified"] == text


@pytest.mark.parametrize("value", ["\U0001f600", 10**40, 1e300, -0.5])
def test_unusual_values_are_read_as_they_were(value: Any) -> None:
    assert FrozenJSON({"a": value})["a"] == value


def test_a_packed_document_can_be_part_of_another() -> None:
    assert FrozenJSON({"inner": FrozenJSON({"a": [1]})}) == {"inner": {"a": [1]}}


def test_values_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(TypeError, match="set is nothing that JSON holds"):
        FrozenJSON({"a": {1}})


def test_equal_texts_share_memory() -> None:
    one, other = shared({"te" + "am": "sh" + "op"}), shared({"team": "shop"})
    assert one == {"team": "shop"}
    assert next(iter(one)) is next(iter(other))
