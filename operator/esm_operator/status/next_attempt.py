"""When the operator acts next: the last sentence of a message."""

from collections.abc import Mapping
from enum import Enum, auto

from esm_operator.status.failure import Disposition


def _within(disposition: Disposition) -> str:
    """The longest delay of a disposition, in words. Many resources that fail together take turns and wait longer."""
    minutes = round(disposition.value[1] / 60)
    return {1: "1 minute", 60: "1 hour"}.get(minutes, f"{minutes} minutes")


class Next(Enum):
    """When the operator acts next."""

    NONE = auto()
    """Nothing is left to do."""
    PART = auto()
    """The text is a part of other messages."""
    FAILURE = auto()
    """The disposition of the AWS error decides."""
    CONTINUES = auto()
    DRIFT = auto()
    EVENT = auto()
    SOON = auto()
    SLOW = auto()
    POLL = auto()
    CHANGE = auto()
    ROOM = auto()
    PERSON = auto()
    FATAL = auto()

    @property
    def sentence(self) -> str:
        """The last sentence of a message."""
        return _NEXT.get(self, "")


_NEXT: Mapping[Next, str] = {
    Next.CONTINUES: "The operator continues automatically.",
    Next.EVENT: "The operator records an Event when this works again.",
    Next.DRIFT: "The operator retries automatically, within 15 minutes.",
    Next.SOON: f"The operator retries automatically, normally within {_within(Disposition.SOON)}.",
    Next.SLOW: f"The operator retries automatically, normally within {_within(Disposition.SLOW)}.",
    Next.POLL: "The operator checks again within 30 seconds.",
    Next.CHANGE: "The operator continues immediately after that.",
    Next.ROOM: "The operator continues automatically, within 3 minutes after that.",
    Next.PERSON: "The operator retries after an edit of the resource, and otherwise normally within "
    f"{_within(Disposition.PERSON)}.",
    Next.FATAL: "The operator retries after an edit of the resource, and otherwise normally within "
    f"{_within(Disposition.FATAL)}.",
}
