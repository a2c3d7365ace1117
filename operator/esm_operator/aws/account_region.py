"""One account and region at one endpoint. Several targets with different credentials can have the same one.

These targets share the inventory of mappings, the tasks that fill it, and the rate limiters, because AWS counts their
requests together.
"""

import asyncio
import logging
import math
from collections.abc import Collection
from dataclasses import dataclass, field

from esm_operator.aws.client import MappingsClient
from esm_operator.aws.errors import understand_any
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.inventory_listener import InventoryListener
from esm_operator.clock import monotonic
from esm_operator.planning.target import Place, Target
from esm_operator.ratelimit.deadline import Deadline
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.status.failure import Failure
from esm_operator.status.rendering import message_of_failure
from esm_operator.status.subject import Subject

logger = logging.getLogger(__name__)

#: The target is crowded if more than so many changes are pending, and the rate limiter delays them.
CROWD = 100
#: The share of the request rate that pages take while the target is crowded. Reads of single mappings take the same.
CROWDED_SHARE = 0.03


@dataclass(slots=True)
class AccountRegion:
    """The shared parts, and the clients of the targets that share them. For one event loop."""

    resources: InventoryListener
    inventory: Inventory
    rate_limiter: RateLimiter
    tagging_rate_limiter: RateLimiter
    since: float
    """Monotonic time from which it is in use, in seconds."""
    subject: Subject
    """The account and region, for messages."""
    place: Place
    clients: dict[Target, MappingsClient] = field(default_factory=dict[Target, MappingsClient])
    """The first one reads. A client that fails is moved to the end, so the one that succeeded last stays the first."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    """The sweeper, the transitions and the tag sweep."""
    sweep_deadline: Deadline = field(default_factory=Deadline)
    """The next page of a sweep."""
    transition_deadline: Deadline = field(default_factory=Deadline)
    """The next reads of mappings in transition."""
    retried: float = -math.inf
    """Monotonic time of the last :meth:`retry`, in seconds."""
    failure: Failure | None = None
    """Why the pages of a sweep can't be read. None: they are read, or will be soon."""
    stale: Failure | None = None
    """Why the inventory is stale. None: it is up to date, or was never filled."""
    orphans: int | None = None
    """The number of orphans: mappings of this cluster without a resource. None: not counted yet."""
    tags_one_by_one: bool | None = None
    """Whether ListTags replaces the tagging API, so that changed tags are noticed late. None: not known yet."""
    _failures: FailureLog = field(init=False)

    def __post_init__(self) -> None:
        place = self.subject.values()["place"]
        self._failures = FailureLog(logger, f"The operator can read the mappings in {place} again")

    @property
    def client(self) -> MappingsClient:
        """The client that reads mappings."""
        return next(iter(self.clients.values()))

    @property
    def tagging_client(self) -> MappingsClient:
        """The client that reads tags: of a target that has owner tags, if there is one."""
        return next((client for client in self.clients.values() if client.owner_tags), self.client)

    def mappings_changed(self, uuids: Collection[str]) -> None:
        """Reconcile the resources of mappings that have changed."""
        self.resources.mappings_changed(self.place, uuids)

    def wake(self) -> None:
        """Read mappings in transition soon, because a transition has begun."""
        self.transition_deadline.recheck()

    def retry(self) -> None:
        """If the last page or the last reads failed, read again immediately."""
        self.retried = monotonic()
        self.sweep_deadline.recheck()
        self.transition_deadline.recheck()

    def is_crowded(self) -> bool:
        """Whether many changes wait for the rate limiter, so that reads have to be rare."""
        return (
            self.rate_limiter.is_exhausted
            and sum(self.resources.pending_changes(target) for target in self.clients) > CROWD
        )

    def log_and_switch_client(self, client: MappingsClient, error: Exception, *, reader: str) -> Failure:
        """Log why a reader could not read mappings, and switch the client. Returns the meaning of the error."""
        failure = understand_any(error)
        text = f"The {reader} failed. {message_of_failure(failure, self.subject)}"
        self._failures.failed(text, subject=reader, cause=(reader, failure.reason))
        if not failure.throttled:
            self.switch_client(client)
        return failure

    def read_again(self, reader: str) -> None:
        """Log that a reader has read mappings, if it failed before."""
        self._failures.succeeded(reader)

    def forget_failures(self, reader: str) -> None:
        """Forget the failures of a reader, because it reads in another way from now on."""
        self._failures.forget(reader)

    def switch_client(self, failed: MappingsClient) -> None:
        """Use another client for reads, if there is one, because the credentials may cause the failure."""
        for target in [target for target, client in self.clients.items() if client is failed]:
            self.clients[target] = self.clients.pop(target)

    def sweep_age(self, now: float) -> float:
        """Seconds from the beginning of the last complete sweep to ``now`` (monotonic)."""
        return now - (self.inventory.swept_from if self.inventory.swept else self.since)
