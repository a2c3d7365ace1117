"""The log of the operator is the record of its changes in AWS: one line for each change, and none without a change.

A bed compares the logs of its operators with the changes that the AWS server has carried out, at the end of each test.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.operator_process import OperatorProcess

#: The operations by the first word of a line.
OPERATIONS = {
    "Created": "CreateEventSourceMapping",
    "Updated": "UpdateEventSourceMapping",
    "Deleted": "DeleteEventSourceMapping",
    "Tagged": "TagResource",
    "Untagged": "UntagResource",
}
_PLACE = r"mapping (\(new\)|[0-9a-f-]{36}) in (\S+) \(account (\d{12})\)\. Cause: \w"
_LINE = re.compile(rf"\b({'|'.join(OPERATIONS)}) {_PLACE}")
_UNANSWERED = re.compile(rf"AWS did not answer (\w+) of {_PLACE}")


class Change(NamedTuple):
    """One change of a mapping."""

    operation: str
    uuid: str
    region: str
    account: str


def check_change_log(
    operators: Sequence[OperatorProcess], carried_out: Iterable[Mapping[str, Any]], account: str
) -> None:
    """Compare the logs of operators with all changes that were carried out in an account; empty: in all accounts.

    A change whose answer was lost has a line too. The log of an operator that was killed may lack lines.
    """
    lines = [line for log in dict.fromkeys(one.log for one in operators) for line in log.read_text().splitlines()]
    matches = [match.groups() for line in lines if (match := _LINE.search(line))]
    logged = Counter(Change(OPERATIONS[word], *rest) for word, *rest in matches)
    lost = [Change(*match.groups()) for line in lines if (match := _UNANSWERED.search(line))]
    made = Counter(
        Change(one["operation"], one["uuid"], one["region"], one["account"])
        for one in carried_out
        if "esm-operator" in one["agent"] and account in ("", one["account"])
    )
    if not account:
        assert not logged - made, f"lines about changes that AWS has not made: {logged - made}"
    missing = list((made - logged).elements())
    for one in lost:
        explained = next((change for change in missing if _may_be(one, change)), None)
        if explained is not None:
            missing.remove(explained)
    if not any(one.was_killed for one in operators):
        assert missing == [], "changes that no line of the log is about"


def _may_be(lost: Change, change: Change) -> bool:
    """Whether a request without an answer may be a change. A Create without an answer names no UUID."""
    return lost in (change, change._replace(uuid="(new)"))
