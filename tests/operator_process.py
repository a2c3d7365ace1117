"""The operator as a process of its own, under its own ServiceAccount and role, for end-to-end tests and the demo.

Its log goes to a file that a failing test shows; it ends with its owner, even if that is killed.
"""

import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.controlplane.processes import GuardedProcess

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0


class OperatorProcess:
    """``esm-operator run`` with a kubeconfig and an AWS endpoint."""

    def __init__(
        self,
        *,
        kubeconfig: Path,
        endpoint: str,
        log: Path,
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            kubeconfig: whom it is at the API server.
            endpoint: URL of the AWS server.
            log: file that its log lines are appended to.
            arguments: more flags of ``esm-operator run``.
            environment: more environment variables.
        """
        self.log = log
        self._port = _free_port()
        self._command = [
            *(sys.executable, "-m", "esm_operator", "run"),
            f"--probe-address=127.0.0.1:{self._port}",
            *arguments,
        ]
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(ROOT / "operator"),
            "PYTHONUNBUFFERED": "1",
            "KUBECONFIG": str(kubeconfig),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            **(environment or {}),
        }
        self._process: GuardedProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the running operator."""
        return self._running.pid

    def start(self) -> None:
        """Start it and wait until it is ready."""
        process = self._process = GuardedProcess(self._command, log=self.log, env=self._environment)
        try:
            self._wait_until_ready(process)
        except BaseException:
            process.stop(0)
            self._process = None
            raise

    def stop(self) -> None:
        """Stop it by SIGTERM, as Kubernetes does."""
        if self._process is None:
            return
        process, self._process = self._process, None
        try:
            process.signal(signal.SIGTERM)
            if process.wait(STOP_TIMEOUT) is None:
                raise TimeoutError(f"The operator did not stop within {STOP_TIMEOUT:.0f} s:\n{self.tail()}")
        finally:
            process.stop(0)

    def kill(self) -> None:
        """Kill it, as a node that fails does."""
        process, self._process = self._running, None
        process.signal(signal.SIGKILL)
        process.wait()

    def has_ended(self) -> bool:
        """Whether it ended without being told to."""
        return self._process is not None and self._process.has_ended()

    def tail(self, lines: int = 60) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _running(self) -> GuardedProcess:
        assert self._process is not None, "not started"
        return self._process

    def _wait_until_ready(self, process: GuardedProcess) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            code = process.wait(0)
            if code is not None:
                raise RuntimeError(f"The operator ended with {code}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"The operator was not ready within {START_TIMEOUT:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
