"""The object passed through one reconcile."""

from dataclasses import dataclass, field

from esm_operator.api.resource import Resource
from esm_operator.aws.targets import ConnectedTarget
from esm_operator.planning.desire import MappingRecord
from esm_operator.planning.state import Desired
from esm_operator.planning.target import Resolved


@dataclass(slots=True)
class ReconcileContext:
    """One resource, and what each action has changed of it."""

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
