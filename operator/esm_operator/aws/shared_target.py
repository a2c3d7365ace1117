"""One account and region behind one endpoint, which several targets may lead to, with other credentials.

Such targets share what is known of its mappings, the tasks that look at them, and the rate limiters, because AWS counts
their requests together too.
"""

from dataclasses import dataclass, field

from esm_operator.aws.client import MappingsClient
from esm_operator.aws.inventory import Inventory
from esm_operator.planning.target import Target
from esm_operator.ratelimit.rate_limiter import RateLimiter


@dataclass(slots=True)
class SharedTarget:
    """What is shared, and the clients of the targets that share it."""

    inventory: Inventory
    rate_limiter: RateLimiter
    tagging_rate_limiter: RateLimiter
    since: float
    """Monotonic time from which it is in use, in seconds."""
    clients: dict[Target, MappingsClient] = field(default_factory=dict[Target, MappingsClient])
    _turn: int = 0

    @property
    def client(self) -> MappingsClient:
        """The client by which mappings are looked at."""
        return list(self.clients.values())[self._turn % len(self.clients)]

    @property
    def tagging_client(self) -> MappingsClient:
        """The client by which tags are looked at: of a target that has owner tags, if there is one."""
        clients = [client for client in self.clients.values() if client.owner_tags]
        return clients[self._turn % len(clients)] if clients else self.client

    def switch_client(self, failed: MappingsClient) -> None:
        """Look by another client from now on, if there is one, because the failure may be due to the credentials.

        Args:
            failed: the client whose request has failed.
        """
        if failed in (self.client, self.tagging_client):
            self._turn += 1

    def sweep_age(self, now: float) -> float:
        """Seconds since the last whole sweep began.

        Args:
            now: monotonic time, in seconds.
        """
        return now - (self.inventory.swept_from if self.inventory.swept else self.since)
