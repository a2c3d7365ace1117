"""The operator as a process with its own ServiceAccount and role, for end-to-end tests and the demo.

A failing test shows the log file. The process ends with its owner, even if the owner is killed. It is forked
by a fork server that has imported the operator (``tests.fork_server``), because tests start it often.
"""

import os
import random
import signal
import socket
import sys
import urllib.error
import urllib.request
import uuid
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.controlplane.processes import GuardedProcess
from tests.fork_server import ForkedProcess, ForkServer
from tests.forked_operator import MAIN, MODULES
from tests.waiting import LIMIT, eventually

ROOT = Path(__file__).resolve().parents[1]
REGION = "eu-west-1"
#: Ports below the range that Linux uses for outgoing connections.
_PORTS = range(20_000, 32_768)
#: A socket for each of the latest ports that `free_port` returned. See there.
_RESERVATIONS: deque[socket.socket] = deque()
_MAX_RESERVATIONS = 200


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
        entry: str = MAIN,
        plain: bool = False,
    ) -> None:
        """
        Args:
            kubeconfig: its credentials at the API server.
            endpoint: URL of the AWS server.
            log: the file to which its log lines are appended.
            arguments: more flags of ``esm-operator run``.
            environment: more environment variables.
            entry: ``module:function`` to call instead of the operator's own. It calls the operator's own later.
            plain: run the installed command, as users do, instead of a forked process.
        """
        self.log = log
        self._port, self._metrics_port = free_port(), free_port()
        self._entry = entry
        self._plain = plain
        self._arguments = [
            "esm-operator",
            "run",
            f"--probe-address=127.0.0.1:{self._port}",
            f"--metrics-address=127.0.0.1:{self._metrics_port}",
            *arguments,
        ]
        self._environment = {
            **base_environment(kubeconfig, endpoint),
            "ESM_OPERATOR_IDENTITY": f"operator-{uuid.uuid4().hex[:8]}",
            "ESM_OPERATOR_LEASE_NAME": f"lease-{uuid.uuid4().hex[:8]}",
            **(environment or {}),
        }
        self._process: ForkedProcess | GuardedProcess | None = None
        self.was_killed = entry != MAIN
        """Whether it may have been killed, so that its log may lack its last lines."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The URL of its probes."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def metrics_url(self) -> str:
        """The URL of its metrics."""
        return f"http://127.0.0.1:{self._metrics_port}/metrics"

    @property
    def pid_if_started(self) -> int:
        """The process id. 0: it does not run."""
        process = self._process
        return 0 if process is None else process.pid

    @property
    def pid(self) -> int:
        """The process id of the running operator."""
        return self._running.pid

    def start(self, *arguments: str) -> None:
        """Start it and wait until it is ready.

        Args:
            arguments: more flags for this start.

        Raises:
            RuntimeError: it has ended.
            TimeoutError: it is not ready within the limit.
        """
        process = self.launch(*arguments)
        try:
            self._wait_until_ready(process)
        except BaseException:
            process.stop(0)
            self._process = None
            raise

    def launch(self, *arguments: str) -> ForkedProcess | GuardedProcess:
        """Start it, and do not wait until it is ready."""
        command = [*self._arguments, *arguments]
        if self._plain:
            command[0] = str(Path(sys.executable).with_name(command[0]))
            self._process = GuardedProcess(command, log=self.log, env=self._environment)
        else:
            self._process = _fork_server().start(
                self._entry, arguments=command, environment=self._environment, log=self.log
            )
        return self._process

    def stop(self) -> None:
        """Stop it with SIGTERM, as Kubernetes does."""
        if self._process is None:
            return
        process, self._process = self._process, None
        self.was_killed = self.was_killed or process.has_ended()
        try:
            process.signal(signal.SIGTERM)
            if process.wait(LIMIT) is None:
                raise TimeoutError(f"The operator did not stop within {LIMIT:.0f} s:\n{self.tail()}")
        finally:
            process.stop(0)

    def kill(self) -> None:
        """Kill it with SIGKILL, as the failure of a node does."""
        process, self._process = self._running, None
        self.was_killed = True
        process.signal(signal.SIGKILL)
        process.wait()

    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.has_ended()

    def tail(self, lines: int = 60) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _running(self) -> ForkedProcess | GuardedProcess:
        assert self._process is not None, "not started"
        return self._process

    def _wait_until_ready(self, process: ForkedProcess | GuardedProcess) -> None:
        def is_ready() -> bool:
            code = process.wait(0)
            if code is not None:
                raise RuntimeError(f"The operator ended with {code}:\n{self.tail()}")
            return self._answers()

        eventually(is_ready, lambda: f"the operator is ready:\n{self.tail()}", every=0.05, error=TimeoutError)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@cache
def _fork_server() -> ForkServer:
    return ForkServer(["esm_operator.run", "esm_operator.flags", *MODULES])


def base_environment(kubeconfig: Path, endpoint: str) -> dict[str, str]:
    """The environment of an operator. Nothing else is taken from the environment of this process.

    Args:
        kubeconfig: its credentials at the API server.
        endpoint: URL of the AWS server.
    """
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "KUBECONFIG": str(kubeconfig),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Most tests need no ProviderConfig. A flag such as --operator-credentials=Never wins over this variable.
        "ESM_OPERATOR_OPERATOR_CREDENTIALS": "WithoutProviderConfig",
        "ESM_OPERATOR_LEASE_NAMESPACE": "esm-operator",
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
    }


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nobody listens now. An empty host means any address.

    The port is outside of the range for outgoing connections. A connection could otherwise take it before the caller
    listens on it. No test of this machine gets the same port, until this process has asked for `_MAX_RESERVATIONS`
    other ones: a UDP socket reserves the port, because TCP does not share its ports with UDP.
    """
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        reservation = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as listener, suppress(OSError):
            reservation.bind((host, port))
            listener.bind((host, port))
            _RESERVATIONS.append(reservation)
            if len(_RESERVATIONS) > _MAX_RESERVATIONS:
                _RESERVATIONS.popleft().close()
            return port
        reservation.close()
    raise RuntimeError(f"All ports of {_PORTS} are in use")
