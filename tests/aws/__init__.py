"""An AWS server for event source mappings, for the tests, the benchmark and the demo.

The server follows recorded answers of AWS. Tests can make it fail in the ways in which AWS fails. It shares no code
with the operator. See README.md.
"""

from .client import Control, ControlError, Counts
from .faults import Kind as FaultKind
from .process import AwsServer
from .settings import DestinationReset, Settings
from .world import Population

__all__ = ["AwsServer", "Control", "ControlError", "Counts", "DestinationReset", "FaultKind", "Population", "Settings"]
