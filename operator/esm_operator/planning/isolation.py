"""Find the members of an Update that AWS refuses, so that the others are changed without them.

AWS refuses an Update as a whole, and its sentence does not always name the member that it is about. A refused Update
is therefore divided: into the members that the sentence names and the others, else in halves, until each refused member
has been refused alone.
"""

import re
from collections.abc import Iterable, Mapping

from esm_operator.api.fields import BY_PATH, FIELDS
from esm_operator.api.values import Canonical

#: Sets of members that AWS refused together, each with the message of the refusal.
Refused = Mapping[frozenset[str], str]


def members_of(paths: Iterable[str]) -> frozenset[str]:
    """The members of UpdateEventSourceMapping that hold these fields, such as ``ProvisionedPollerConfig``."""
    return frozenset(BY_PATH[path].top for path in paths)


def alone(refused: Iterable[frozenset[str]]) -> frozenset[str]:
    """The members that AWS refused when they were sent without any other."""
    return frozenset(member for members in refused if len(members) == 1 for member in members)


def portion(
    change: Mapping[str, Canonical], reset: frozenset[str], refused: Refused, last: frozenset[str]
) -> tuple[dict[str, Canonical], frozenset[str]]:
    """The part of an Update to send next, the fields ``last`` after all others; empty if AWS refused each member."""
    sent = next_members(members_of((*change, *reset)), refused, members_of(last))
    return (
        {path: value for path, value in change.items() if BY_PATH[path].top in sent},
        frozenset(path for path in reset if BY_PATH[path].top in sent),
    )


def next_members(wanted: frozenset[str], refused: Refused, last: frozenset[str] = frozenset()) -> frozenset[str]:
    """The members to send together next, ``last`` after all others; empty if AWS has refused each of them alone.

    A set that was refused is not sent again. If AWS refuses each of n members, the search takes 2n - 1 Updates.
    """
    culprits = alone(refused)
    unsolved = wanted - culprits
    unsolved = unsolved - last or unsolved
    untried = unsolved.difference(*refused)
    if untried or not unsolved:
        return untried
    parts = [(sorted(members & unsolved), members) for members in refused if members & unsolved]
    part, members = min(parts, key=lambda one: (len(one[0]), one[0], len(one[1])))
    if members & culprits:
        return frozenset(part)  # the culprit explains the refusal, so AWS may take these
    unnamed = [member for member in part if not _is_named(member, refused[members])]
    half = unnamed if 0 < len(unnamed) < len(part) else part[: max(1, len(part) // 2)]
    return frozenset(half)


def _is_named(member: str, message: str) -> bool:
    """Whether a message names a member or a part of it, in any spelling: ``batchSize``, ``Batch size``."""
    text = re.sub(r"[^a-z]", "", message.lower())
    names = {part for row in FIELDS if row.top == member and not row.immutable for part in row.member}
    return any(name.lower() in text for name in names)
