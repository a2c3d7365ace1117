"""The annotations of an EventSourceMapping that the operator knows, and the report about unknown ones.

An unknown annotation that begins with :data:`PREFIX` has no effect. It is a typing error, a former name, or a name of
another version of the operator.
"""

import difflib
import re
import sys
from collections.abc import Mapping
from typing import Any

PREFIX = "lambda.esm-operator.io/"
#: Set by the operator before it creates a mapping.
INTENT = f"{PREFIX}intent"
#: Set by people.
PAUSED = f"{PREFIX}paused"
ORPHAN = f"{PREFIX}orphan"
RECONCILE_AT = f"{PREFIX}reconcile-at"

#: The condition that reports unknown annotations. A resource has it only while it has such annotations.
UNKNOWN_ANNOTATIONS = "UnknownAnnotations"
#: Tenants write annotations, and a resource can have thousands of them.
MOST_REPORTED = 10

_FOR_PEOPLE = (ORPHAN, PAUSED, RECONCILE_AT)
_KNOWN = frozenset((INTENT, *_FOR_PEOPLE))
#: Former names, and the names that have replaced them.
_RENAMED: Mapping[str, str] = {f"{PREFIX}let-go": ORPHAN}
#: The sentence about an unknown annotation.
NO_EFFECT = "The annotation {annotation} has no effect, because this version of the operator does not know it."
_REPORTED = re.compile(r"The annotation (\S+) has no effect")


def unknown_annotations(annotations: Mapping[str, Any]) -> tuple[str, ...]:
    """The unknown annotations with the operator's prefix, in alphabetical order, at most :data:`MOST_REPORTED`."""
    names = [name for name in annotations if name.startswith(PREFIX) and name not in _KNOWN]
    return tuple(map(sys.intern, sorted(names)[:MOST_REPORTED]))


def explain(name: str) -> str:
    """The message about an unknown annotation, with the nearest known name and the remedy."""
    return f"{NO_EFFECT.format(annotation=name)} {_remedy(name)}"


def explained(text: str) -> tuple[str, ...]:
    """The annotations that a text of :func:`explain` is about, in its order."""
    return tuple(_REPORTED.findall(text))


def _remedy(name: str) -> str:
    if name in _RENAMED:
        return f"It is called {_RENAMED[name]} now. Rename it, or remove it."
    own = {known.removeprefix(PREFIX): known for known in _FOR_PEOPLE}
    near = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), own, n=1)
    if near:
        return f"Did you mean {own[near[0]]}? Rename it, or remove it."
    return f"Known annotations are {', '.join(_FOR_PEOPLE[:-1])} and {_FOR_PEOPLE[-1]}. Use one of these, or remove it."
