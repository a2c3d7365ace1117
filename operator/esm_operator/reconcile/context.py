"""The object passed through one reconcile."""

from dataclasses import dataclass, field, replace

from esm_operator.api.resource import Resource
from esm_operator.aws.targets import ConnectedTarget
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.resource_cache import ResourceCache, StaleError
from esm_operator.planning.access import knows
from esm_operator.planning.desired import MappingRecord
from esm_operator.planning.inputs import Desired
from esm_operator.planning.ownership import Owner
from esm_operator.planning.target import ResolvedTarget
from esm_operator.reconcile.change_log import AccountAndRegion, Change, log_change
from esm_operator.reconcile.resource_state import ResourceState, ResourceStates
from esm_operator.status.subject import Subject


@dataclass(slots=True)
class ReconcileContext:
    """One resource, and the changes by each action. Requests that change AWS call :meth:`check` and :meth:`log`."""

    states: ResourceStates
    cache: ResourceCache
    config_cache: ConfigCache
    resource: Resource
    state: ResourceState
    """What this term keeps in memory of the object. A new object of the same name has a new state."""
    record: MappingRecord
    target: ResolvedTarget
    connected: ConnectedTarget
    began: float
    """Monotonic time, in seconds. Tags that were read earlier are not enough to delete or replace a mapping."""
    desired: Desired = field(init=False)
    """The desired state of the current plan."""
    read_requested: bool = False
    """Whether the mapping was read from AWS because a person requested it."""
    proof_requested: bool = False
    """Whether the owner of the mapping was read from AWS before more of the mapping is shown."""
    creating: str = ""
    """The present or next value of ``status.creating``: without owner tags, a Create may be outstanding."""
    replaced: str = ""
    """The UUID of the mapping whose replacement is being created."""
    change: Change = field(init=False)
    """The change that the executor sends, for the change log."""
    taken_from: Owner | None = None
    """The owner from which the change takes the mapping over. It must consent until the request is sent."""

    @property
    def subject(self) -> Subject:
        """The mapping that messages name."""
        region, account = self.target.target.region, self.connected.client.account
        return Subject.of(self.resource, region=region, account=account, uuid=self.record.uuid)

    def check(self) -> None:
        """Raise StaleError if the resource, its heir or the consent of the owner has changed since the plan.

        That may be seconds ago.
        """
        self.cache.require_unchanged(self.resource)
        if self.desired.deleting and self.cache.heir_of(self.resource, self.desired.owner.cluster) is not None:
            raise StaleError  # a resource that takes the mapping over has just been created
        if self.taken_from is None:
            return
        now = replace(self.desired, consenting=self.cache.consenting_to(self.resource.key))
        if not knows(now, self.taken_from):
            raise StaleError

    def log(self, operation: str, uuid: str, *, answered: bool) -> None:
        """Log a change that AWS has made, or may have made."""
        place = AccountAndRegion(self.connected.client.account, self.target.target.region)
        log_change(self.resource, self.change, operation, uuid, place, answered=answered)
