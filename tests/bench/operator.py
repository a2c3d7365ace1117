"""The operator as people run it: the plain command. It ends with this process, however that ends."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench import processes
from tests.bench.errors import BenchError
from tests.bench.exposition import series
from tests.bench.processes import Usage
from tests.operator_process import OperatorProcess

COMMAND = Path(sys.executable).with_name("esm-operator")
#: So that the brake on deletions does not set the pace of the benchmark.
DELETIONS = "--deletions-per-minute=100000"
#: The verbs of its writes. PUT is only sent for the lease.
_WRITES = ("PATCH", "POST")


def knows(flag: str) -> bool:
    """Whether ``esm-operator run`` has a flag."""
    said = subprocess.run([COMMAND, "run", "--help"], capture_output=True, text=True, check=True).stdout
    return flag in said


@dataclass(frozen=True, slots=True)
class KubernetesCounts:
    """What an operator has sent to the API server since its start, and what happened to its lease."""

    writes: float
    """Writes but those of the lease."""
    unanswered: float
    """Those of them that were given up without an answer."""
    leases_lost: float

    def since(self, before: "KubernetesCounts") -> dict[str, float]:
        """The differences, by name."""
        return {name: value - getattr(before, name) for name, value in asdict(self).items()}


class Operator(OperatorProcess):
    """``esm-operator run``, started and stopped as often as one likes, with its use of CPU, memory and requests."""

    def __init__(self, *, kubeconfig: Path, endpoint: str, log: Path, arguments: tuple[str, ...] = ()) -> None:
        """
        Args:
            kubeconfig: whom it is at the API server.
            endpoint: URL of the AWS server.
            log: file that its log lines are appended to.
            arguments: flags that it has each time.
        """
        super().__init__(
            kubeconfig=kubeconfig,
            endpoint=endpoint,
            log=log,
            arguments=(DELETIONS, *arguments),
            environment={"ESM_OPERATOR_IDENTITY": "bench"},
            plain=True,
        )

    def check(self) -> None:
        """Raises if it has ended by itself."""
        if self.has_ended():
            raise BenchError(f"The operator has ended:\n{self.tail()}")

    def usage(self) -> Usage | None:
        """What it has used since it was started; None: it does not run."""
        pid = self.pid_if_started
        try:
            return processes.usage(pid) if pid else None
        except BenchError:
            return None

    def reconciled(self) -> int:
        """How many reconciliations found, or ended with, the state of the spec, since it was started."""
        found = {labels["result"]: value for labels, value in self._series("reconciles_total")}
        return int(found.get("synced", 0))

    def kubernetes(self) -> KubernetesCounts:
        """What it has sent to the API server since it was started."""
        sent = [(labels, value) for labels, value in self._series("kubernetes_requests_total")]
        return KubernetesCounts(
            writes=sum(value for labels, value in sent if labels["verb"] in _WRITES),
            unanswered=sum(value for labels, value in sent if labels["verb"] in _WRITES and labels["code"] == "none"),
            leases_lost=sum(value for _, value in self._series("lease_lost_total")),
        )

    def _series(self, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
        with urllib.request.urlopen(self.metrics_url, timeout=30) as answer:
            return series(answer.read().decode(), f"esm_operator_{name}")
