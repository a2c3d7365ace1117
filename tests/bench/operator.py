"""The operator as people run it: the plain command. It ends with this process, however that ends."""

import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from signal import SIGTERM

from tests.bench import processes
from tests.bench.errors import BenchError
from tests.bench.exposition import series
from tests.bench.processes import Usage
from tests.controlplane.processes import GuardedProcess
from tests.operator_process import base_environment, free_port

COMMAND = Path(sys.executable).with_name("esm-operator")
START_TIMEOUT = 120.0
STOP_TIMEOUT = 30.0
#: So that the brake on deletions does not set the pace of the benchmark.
DELETIONS = "--deletions-per-minute=100000"


def knows(flag: str) -> bool:
    """Whether ``esm-operator run`` has a flag."""
    said = subprocess.run([COMMAND, "run", "--help"], capture_output=True, text=True, check=True).stdout
    return flag in said


class Operator:
    """``esm-operator run``, started and stopped as often as one likes."""

    def __init__(self, *, kubeconfig: Path, endpoint: str, log: Path, arguments: tuple[str, ...] = ()) -> None:
        """
        Args:
            kubeconfig: whom it is at the API server.
            endpoint: URL of the AWS server.
            log: file that its log lines are appended to.
            arguments: flags that it has each time.
        """
        self.log = log
        self._process: GuardedProcess | None = None
        self._port = 0
        self._arguments = arguments
        self._environment = {**base_environment(kubeconfig, endpoint), "ESM_OPERATOR_IDENTITY": "bench"}

    @property
    def url(self) -> str:
        """Where it answers probes and scrapes."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, arguments: tuple[str, ...] = ()) -> None:
        """Start it, and wait until it knows all resources."""
        self._port = free_port()
        address = f"--probe-address=127.0.0.1:{self._port}"
        command = [COMMAND, "run", address, DELETIONS, *self._arguments, *arguments]
        self._process = GuardedProcess(command, log=self.log, env=self._environment)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise BenchError(f"The operator was not ready within {START_TIMEOUT:.0f} s. {self._process.log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it by SIGTERM, as Kubernetes does."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.signal(SIGTERM)
        if process.wait(STOP_TIMEOUT) is None:
            process.stop(0)
            raise BenchError(f"The operator did not stop within {STOP_TIMEOUT:.0f} s. {process.log_tail()}")

    def check(self) -> None:
        """Raises if it has ended by itself."""
        if self._process is not None and self._process.has_ended():
            obituary, self._process = self._process.obituary(), None
            raise BenchError(obituary)

    def usage(self) -> Usage | None:
        """What it has used since it was started; None: it does not run."""
        process = self._process
        if process is None:
            return None
        try:
            return processes.usage(process.pid)
        except BenchError:
            return None

    def reconciled(self) -> int:
        """How many reconciliations found, or ended with, what the spec says, since it was started."""
        text = self._get("/metrics")
        found = {labels["result"]: value for labels, value in series(text, "esm_operator_reconciles_total")}
        return int(found.get("synced", 0))

    def _is_ready(self) -> bool:
        try:
            return self._get("/readyz", timeout=2).startswith("ready")
        except OSError:
            return False

    def _get(self, path: str, timeout: float = 30) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=timeout) as answer:
            return answer.read().decode()
