"""The test bed: a cluster, an AWS server and operators, with helpers to use them.

One control plane and one AWS server serve all tests of a pytest worker (``tests/conftest.py``). A :class:`Bed` has a
namespace of that cluster, an account of that AWS server, and the operators that a test starts. A test sets options of
its bed: flags and environment of the operator, the routes to the API server and to AWS, the account, and a control
plane of its own.

The benchmark and the demo use some of these helpers.
"""

from tests.bed.bed import Bed
from tests.bed.cluster import install
from tests.bed.names import CONFIGS, FINALIZER, KIND, SWEEPS, WRITES
from tests.bed.resources import Resources, condition_of, is_ready

__all__ = [
    "CONFIGS",
    "FINALIZER",
    "KIND",
    "SWEEPS",
    "WRITES",
    "Bed",
    "Resources",
    "condition_of",
    "install",
    "is_ready",
]
