"""The change log: one line for each request that has changed a mapping in AWS, with its resource and its cause.

The line has the same form for each change::

    Updated mapping 1b2c... in eu-west-1 (account 123456789012). Cause: drift. Change: batchSize: 5 -> 10

JSON lines have the members ``change``, ``cause``, ``uuid``, ``account`` and ``region`` in addition. A test compares the
lines of each end-to-end test with the requests that its AWS server received.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from esm_operator.api.resource import Resource
from esm_operator.logs import marks

logger = logging.getLogger(__name__)


class Cause(StrEnum):
    """Why the operator changes a mapping."""

    NEW = "new resource"
    RECREATION = "deleted outside of Kubernetes"
    REPLACEMENT = "replacement"
    EDIT = "edit"
    DRIFT = "drift"
    ADOPTION = "adoption"
    TAKE_OVER = "take-over"
    RELEASE = "release"
    DELETION = "deletion of the resource"
    DUPLICATE = "second mapping of the resource"


@dataclass(frozen=True, slots=True)
class Change:
    """A change that the operator is about to send."""

    cause: Cause
    text: str = ""
    """The change in words, such as the old and the new values of fields, without tag values."""


#: The first word of a line, by AWS's operation. The last two are written if mappings have no tags, without a request.
VERBS: Mapping[str, str] = {
    "CreateEventSourceMapping": "Created",
    "UpdateEventSourceMapping": "Updated",
    "DeleteEventSourceMapping": "Deleted",
    "TagResource": "Tagged",
    "UntagResource": "Untagged",
    "Adopt": "Adopted",
    "Release": "Released",
}


class AccountAndRegion(NamedTuple):
    """Where a mapping is."""

    account: str
    region: str


def log_change(
    resource: Resource, change: Change, operation: str, uuid: str, where: AccountAndRegion, *, answered: bool = True
) -> None:
    """Log a change. ``answered``: whether AWS has answered. If not, AWS may have changed the mapping or not."""
    place = f"{where.region} (account {where.account})"
    why = f"Cause: {change.cause}.{f' Change: {change.text}' if change.text else ''}"
    known = {"change": operation, "cause": str(change.cause), **where._asdict()}
    about = marks(resource) | known | ({"uuid": uuid} if uuid else {})
    if answered:
        logger.info("%s mapping %s in %s. %s", VERBS[operation], uuid, place, why, extra=about)
    else:
        logger.warning(
            "AWS did not answer %s of mapping %s in %s. %s", operation, uuid or "(new)", place, why, extra=about
        )
