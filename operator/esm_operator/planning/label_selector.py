"""Label selectors as text, as kubectl takes them: ``team=shop,tier in (a, b),!experimental``.

``settings.py`` checks the text of a flag. :func:`~esm_operator.planning.target.selects` applies the result.
"""

import re
from collections.abc import Mapping
from typing import Any

_COMMA = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\((.*)\)")
_EQUALITY = re.compile(r"([^\s=!]+)\s*(==|=|!=)\s*(\S*)")


def parse_selector(text: str) -> Mapping[str, Any]:
    """The label selector of a valid text, in the form of a Kubernetes object. The empty text is an empty selector."""
    return {"matchExpressions": [_requirement(part.strip()) for part in _COMMA.split(text) if part.strip()]}


def _requirement(text: str) -> dict[str, Any]:
    if found := _SET.fullmatch(text):
        values = [value.strip() for value in found[3].split(",")]
        return {"key": found[1], "operator": "In" if found[2] == "in" else "NotIn", "values": values}
    if found := _EQUALITY.fullmatch(text):
        return {"key": found[1], "operator": "NotIn" if found[2] == "!=" else "In", "values": [found[3]]}
    key = text.removeprefix("!").strip()
    return {"key": key, "operator": "DoesNotExist" if text.startswith("!") else "Exists"}
