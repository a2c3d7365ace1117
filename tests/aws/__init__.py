"""An AWS server for event source mappings, to test, to measure and to try the operator against.

It behaves as AWS was recorded to behave, and can be made to misbehave as AWS does. It shares no code with the
operator. See README.md.
"""

from .client import Control, ControlError, Counts
from .faults import Kind as FaultKind
from .process import AwsServer
from .settings import DestinationReset, Settings
from .world import Population

__all__ = ["AwsServer", "Control", "ControlError", "Counts", "DestinationReset", "FaultKind", "Population", "Settings"]
