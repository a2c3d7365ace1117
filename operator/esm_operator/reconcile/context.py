"""The object passed through one reconcile."""

from dataclasses import dataclass, field

from esm_operator.api.resource import Resource
from esm_operator.aws.targets import ConnectedTarget
from esm_operator.cluster.cache import ResourceCache
from esm_operator.planning.desire import MappingRecord
from esm_operator.planning.state import Desired
from esm_operator.planning.target import Resolved
from esm_operator.reconcile.state import ResourceState, ResourceStates


@dataclass(slots=True)
class ReconcileContext:
    """One resource, and what each action has changed of it. It is the precondition of the requests that change AWS."""

    states: ResourceStates
    cache: ResourceCache
    resource: Resource
    record: MappingRecord
    target: Resolved
    connected: ConnectedTarget
    began: float
    """Monotonic time, in seconds. Nothing that can't be undone follows from tags that were read before it."""
    desired: Desired = field(init=False)
    """The desired state on which the present plan was made."""
    read_requested: bool = False
    """Whether the mapping was read from AWS because a person requested it."""
    creating: str = ""
    """``status.creating`` as it is or will be: a Create may be outstanding, where mappings have no owner tags."""
    replaced: str = ""
    """The UUID of the mapping whose replacement is being created."""

    @property
    def state(self) -> ResourceState:
        """What the process remembers of the resource."""
        return self.states.of(self.resource.key)

    def check(self) -> None:
        """Raise StaleError if the resource has changed since the action was planned, which may be seconds ago."""
        self.cache.current(self.resource)
