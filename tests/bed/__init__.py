"""The test bed: a cluster, an AWS server and the operators between them, and short ways to use them.

One control plane and one AWS server serve all tests of a pytest worker (``tests/conftest.py``). A :class:`Bed` is a
namespace of that cluster, an account of that AWS, and the operators that a test starts. What differs between tests is
an option: flags and environment of the operator, the ways by which it reaches the API server and AWS, the account, a
control plane of its own.

Also used by the benchmark and the demo, as far as they need the same.
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
