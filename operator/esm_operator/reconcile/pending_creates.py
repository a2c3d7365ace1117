"""Pending creates: CreateEventSourceMapping requests whose outcome is unknown. AWS may still carry them out.

The answer was lost, or an earlier process sent the request and was killed. Until the outcome is known, the absence of a
mapping proves nothing. The operator must not release the resource, and must not write an intent with another identity.
The outcome is known after a list that began at least ``SETTLE`` seconds after the request.

- The operator may send the same Create again, because AWS refuses a second mapping with the same identity. But the
  first request remains pending. If the mapping of the second request is deleted, the first may create another mapping.
- A sweep settles a pending create too, but does not prove that a mapping is absent, because pages shift while mappings
  are created and deleted. So before the operator acts on an absence, it lists the mappings of the function.

Each resource has its pending creates in its :class:`~esm_operator.reconcile.resource_state.ResourceState`.
"""

from dataclasses import dataclass

from esm_operator.aws.client import MappingsClient
from esm_operator.clock import monotonic

#: Seconds after which AWS no longer carries out a request whose sender has timed out or was killed.
SETTLE = 8.0
#: Seconds by which the clocks of two machines may differ.
CLOCKS_DIFFER = 5.0


@dataclass(slots=True)
class _Pending:
    function: str
    settles: float
    listed: bool
    settled: bool = False
    """Whether AWS no longer carries it out. It remains until a list of the function has shown the outcome."""


class PendingCreates:
    """The pending creates of one resource. For one event loop. Function names are those of the mapping's identity."""

    __slots__ = ("_pending", "may_have_made")

    def __init__(self) -> None:
        self._pending: _Pending | None = None
        self.may_have_made = False
        """Whether a Create whose answer this term has not received may have made a mapping for the resource."""

    def unanswered(self, function: str) -> None:
        """Record that a Create had no answer, or an answer that does not show its outcome."""
        self.may_have_made = True
        self._pending = _Pending(function, monotonic() + SETTLE, listed=False)

    def inherited(self, function: str, settles: float, *, alive: bool, waited: float = 0.0) -> None:
        """Record that another process was about to send a Create, and did not record its outcome.

        Args:
            settles: monotonic time, in seconds, from which AWS no longer carries out the Create.
            alive: whether the other process may still have run a moment ago. If not, it ended before this one began.
            waited: seconds since the other process recorded that it sends no Create any more. The clocks of the two
                machines may differ.
        """
        self.may_have_made = True
        if not self.unsettled:
            if waited:
                settles = min(settles, monotonic() + max(0.0, SETTLE + CLOCKS_DIFFER - waited))
            self._pending = _Pending(function, settles, listed=not alive)

    @property
    def unsettled(self) -> bool:
        """Whether AWS may still carry out a Create."""
        return self._pending is not None and not self._pending.settled

    @property
    def unsearched(self) -> bool:
        """Whether no list of the function has shown the outcome yet."""
        return self._pending is not None

    def left(self) -> float:
        """Seconds until a list can show the outcome."""
        return max(0.0, self._pending.settles - monotonic()) if self._pending is not None else 0.0

    async def settle(self, client: MappingsClient) -> bool:
        """List the mappings of the function if the list can show something new. Raises the refusals of AWS.

        Returns:
            whether AWS may still carry out a Create.
        """
        pending = self._pending
        if pending is None or pending.settled:
            return False
        now = monotonic()
        if client.inventory.swept_from < pending.settles and (now >= pending.settles or not pending.listed):
            await client.refresh_by_function(pending.function)
            pending.listed = True
            if now >= pending.settles:
                self._pending = None
                return False
        pending.settled = max(now, client.inventory.swept_from) >= pending.settles
        return not pending.settled

    async def search(self, client: MappingsClient) -> None:
        """List the mappings of the function. AWS carries out no Create any more, so the list shows all outcomes."""
        if self._pending is not None:
            await client.refresh_by_function(self._pending.function)
            self._pending = None

    def answered(self) -> None:
        """Record that a Create has made the mapping. If AWS carries out no other Create, none is pending."""
        if self._pending is not None and self._pending.settled:
            self._pending = None
