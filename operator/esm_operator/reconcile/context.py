"""One resource being worked on: what is known of it changes from step to step."""

from dataclasses import dataclass

from esm_operator.api.resource import Resource
from esm_operator.aws.targets import ConnectedTarget
from esm_operator.planning.desire import MappingRecord


@dataclass(slots=True)
class ReconcileContext:
    """Made by the reconciler for one go, changed by each action."""

    resource: Resource
    record: MappingRecord
    connected: ConnectedTarget
    began: float
    """Monotonic time, in seconds. From tags that were seen before it, nothing follows that can't be undone."""
    looked: bool = False
    """Whether AWS was asked for the mapping as it is now, because a person wants to know."""
    creating: str = ""
    """What the status records, or is about to: that a Create may be outstanding, where mappings have no owner tags."""
    replaced: str = ""
    """The UUID of the mapping whose replacement is being created."""
