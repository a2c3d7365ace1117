"""When changes arrive in AWS: found in the AWS server's log of requests, by UUID, member and value."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from tests.aws import Control

#: Entries that are read in one go: more than a few seconds' worth.
_ENTRIES = 300


@dataclass(frozen=True, slots=True)
class Change:
    """The member of an Update that AWS must receive for one mapping."""

    uuid: str
    member: str
    value: int | str


class Arrivals:
    """Waits for the updates that follow from some changes."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._made: dict[Change, float] = {}
        self._arrived: dict[Change, float] = {}

    def made(self, change: Change, at: float) -> None:
        """A change was made, at this time."""
        self._made[change] = at

    def look(self) -> int:
        """Read what has arrived lately; to be called every few seconds. How many of the changes have."""
        for request in self._control.requests(_ENTRIES):
            members: Mapping[str, object] = request["members"]
            if request["operation"] == "UpdateEventSourceMapping" and request["outcome"] == "ok":
                for member, value in members.items():
                    change = Change(str(members["UUID"]), member, value) if isinstance(value, int | str) else None
                    if change in self._made:
                        self._arrived.setdefault(change, float(request["time"]))
        return len(self._arrived)

    def latencies(self) -> list[float]:
        """Seconds from each change to its arrival, in the order of the changes."""
        return [self._arrived[change] - at for change, at in self._made.items() if change in self._arrived]

    def wait_a_moment(self, seconds: float) -> None:
        """Let time pass without losing an entry of the log."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 2.0))
            self.look()
