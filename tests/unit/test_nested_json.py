"""JSON that is nested too deeply is read without the deep parts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.nested_json import MOST_LEVELS, without_deep_parts

TEXTS = st.text(alphabet='[]{}"\\,:a\n\u00e9', max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def nested(levels: int, inner: Any) -> str:
    """Nested lists around a value."""
    return "[" * levels + json.dumps(inner) + "]" * levels


@given(VALUES, st.booleans())
def test_other_texts_stay_as_they_are(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert without_deep_parts(text) == text


@given(VALUES, VALUES, st.integers(MOST_LEVELS, 2 * MOST_LEVELS))
def test_only_deep_parts_are_left_out(value: Any, hidden: Any, levels: int) -> None:
    text = f"[{json.dumps(value)}, {nested(levels, hidden)}, {json.dumps(value)}]".encode()
    found = json.loads(without_deep_parts(text))
    assert (found[0], found[2]) == (value, value)
    part, depth = found[1], 1
    while part is not None:
        (part,), depth = part, depth + 1
    assert depth == MOST_LEVELS


@pytest.mark.parametrize("levels", [10_000, 1_000_000])
def test_a_text_of_any_depth(levels: int) -> None:
    text = f'{{"a": {nested(levels, "x")}, "b": {nested(levels, "y")}}}'.encode()
    assert len(json.loads(without_deep_parts(text))["a"]) == 1
    assert json.loads(without_deep_parts(text))["b"]


@pytest.mark.parametrize("text", ["[" * 10_000, '{"a":' * 10_000, "]" * 10_000, '"\\', '"' + '\\"' * 100_000, "[}" * 9])
def test_a_text_that_is_not_json_stays_one_that_is_not(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.loads(without_deep_parts(text.encode()))
