"""Checks whether a text is a filter pattern. AWS refuses others with "Invalid filter pattern definition.".

Recorded: AWS refuses `null` and a string, and accepts nested names with lists of values and operators. The server
checks the form of operators, and not their operands. It accepts a pattern if AWS's behaviour is unknown.
"""

from __future__ import annotations

import json
from typing import Any, cast


def is_pattern(text: str) -> bool:
    try:
        pattern: Any = json.loads(text)
    except ValueError:
        return False
    return isinstance(pattern, dict) and _is_object(cast(dict[str, Any], pattern))


def _is_object(pattern: dict[str, Any]) -> bool:
    return all(_is_alternatives(value) if name == "$or" else _is_rule(value) for name, value in pattern.items())


def _is_alternatives(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(item, dict) and _is_object(cast(dict[str, Any], item)) for item in cast(list[Any], value))


def _is_rule(value: Any) -> bool:
    """Either nested names, or the list of allowed values."""
    if isinstance(value, dict):
        return _is_object(cast(dict[str, Any], value))
    if not isinstance(value, list) or not value:
        return False
    return all(_is_candidate(item) for item in cast(list[Any], value))


def _is_candidate(item: Any) -> bool:
    if isinstance(item, dict):
        return len(cast(dict[str, Any], item)) == 1
    return item is None or isinstance(item, (str, int, float, bool))
