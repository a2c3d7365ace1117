"""The annotations of an EventSourceMapping that the operator knows, and the report about those without effect.

An unknown annotation that begins with :data:`PREFIX` has no effect. It is a typing error, a former name, or a name of
another version of the operator. The annotation :data:`ALLOW_TAKEOVER_BY` has no effect if its value is invalid.
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
#: The resources of other namespaces that may take over or observe the mapping, as a list of ``namespace/name``.
ALLOW_TAKEOVER_BY = f"{PREFIX}allow-takeover-by"
#: An annotation of other objects: the namespaces whose resources may refer to the object, separated by commas, or
#: ``*``. An object in the namespace of the resource needs no consent.
ALLOW_REFERENCES_FROM = f"{PREFIX}allow-references-from"
#: A label of ConfigMaps that the operator writes (``spec.outputs``), with the UID of the resource. The value of a label
#: has at most 63 characters, the name of a resource 253.
OUTPUTS_OF = f"{PREFIX}outputs-of"
#: The most namespaces that the annotation ``allow-references-from`` may name. Others are ignored.
MOST_REFERRERS = 200
#: The most resources that the annotation ``allow-takeover-by`` may name.
MOST_ALLOWED = 50

#: The condition that reports unknown annotations. A resource has it only while it has such annotations.
UNKNOWN_ANNOTATIONS = "UnknownAnnotations"
#: Tenants write annotations, and a resource can have thousands of them.
MOST_REPORTED = 10

_FOR_PEOPLE = (ALLOW_TAKEOVER_BY, ORPHAN, PAUSED, RECONCILE_AT)
_KNOWN = frozenset((INTENT, *_FOR_PEOPLE))
#: Former names, and the names that have replaced them.
_RENAMED: Mapping[str, str] = {f"{PREFIX}let-go": ORPHAN}
#: The sentence about an unknown annotation.
NO_EFFECT = "The annotation {annotation} has no effect, because this version of the operator does not know it."
#: The sentence and the remedy for an invalid value of :data:`ALLOW_TAKEOVER_BY`.
INVALID_CONSENT = (
    "The annotation {annotation} has no effect, because its value is not a list of up to {most} names of resources. "
    "Write NAMESPACE/NAME for each EventSourceMapping that may take over the mapping or observe it, separated by "
    "commas."
)
_NAMESPACED_NAME = re.compile(r"([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)/([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_REPORTED = re.compile(r"The annotation (\S+) has no effect")


def allowed_takers(text: str) -> frozenset[tuple[str, str]] | None:
    """The resources that a value of :data:`ALLOW_TAKEOVER_BY` names, as (namespace, name). None: it is invalid."""
    items = [item.strip() for item in text.split(",", MOST_ALLOWED)] if text.strip() else []
    found = [_NAMESPACED_NAME.fullmatch(item) for item in items]
    if len(items) > MOST_ALLOWED or not all(found):
        return None
    return frozenset((sys.intern(one[1]), sys.intern(one[2])) for one in found if one is not None)


def allowed_referrers(text: str) -> frozenset[str]:
    """The namespaces that a value of :data:`ALLOW_REFERENCES_FROM` names; ``*`` stands for all."""
    items = (item.strip() for item in text.split(",", MOST_REFERRERS)[:MOST_REFERRERS])
    return frozenset(sys.intern(item) for item in items if item == "*" or _NAMESPACE.fullmatch(item))


def unknown_annotations(annotations: Mapping[str, Any]) -> tuple[str, ...]:
    """The annotations with the operator's prefix and without effect, in alphabetical order.

    At most :data:`MOST_REPORTED`.
    """
    names = [name for name in annotations if name.startswith(PREFIX) and name not in _KNOWN]
    if allowed_takers(str(annotations.get(ALLOW_TAKEOVER_BY) or "")) is None:
        names.append(ALLOW_TAKEOVER_BY)
    return tuple(map(sys.intern, sorted(names)[:MOST_REPORTED]))


def explain(name: str) -> str:
    """The message about an annotation without effect, with the nearest known name and the remedy."""
    if name == ALLOW_TAKEOVER_BY:
        return INVALID_CONSENT.format(annotation=name, most=MOST_ALLOWED)
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
