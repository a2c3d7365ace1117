"""The operator as people run it: the plain command. It ends with this process, however that ends."""

import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.bench import processes
from tests.bench.errors import BenchError
from tests.bench.exposition import series
from tests.bench.processes import Usage
from tests.operator_process import OperatorProcess

COMMAND = Path(sys.executable).with_name("esm-operator")
#: So that the brake on deletions does not set the pace of the benchmark.
DELETIONS = "--deletions-per-minute=100000"


def knows(flag: str) -> bool:
    """Whether ``esm-operator run`` has a flag."""
    said = subprocess.run([COMMAND, "run", "--help"], capture_output=True, text=True, check=True).stdout
    return flag in said


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
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = {labels["result"]: value for labels, value in series(text, "esm_operator_reconciles_total")}
        return int(found.get("synced", 0))
