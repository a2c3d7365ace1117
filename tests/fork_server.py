"""A fork server: one process that has imported the operator, and forks a child for each operator that a test starts.

Importing the operator and its libraries takes longer than the rest of its start, and the
tests start it some hundred times. A child has its own process id, session, environment, arguments and log, and can be
stopped and killed like any process. It shares only the imported modules with the fork server. The fork server calls the
entry point as ``python -m`` does. A library that reads the environment during its import sees the environment of the
fork server. ``tests.forked_operator`` corrects this for KUBECONFIG.

A child never outlives its owner, however the owner ends. The owner holds one end of a connection for each child. The
kernel closes that end when the owner has ended, also after a SIGKILL, and then the child is killed, also while SIGSTOP
holds it. If the fork server itself ends, its children are killed with it (PR_SET_PDEATHSIG, on Linux; the fork server
has one thread, so the signal does not depend on a thread that ends early).

Used by ``tests.operator_process`` and ``tests.guards``. Run as ``python -m tests.fork_server FD MODULE...``, with the
socket that receives requests and the modules to import.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[1]
PR_SET_PDEATHSIG = 1


class ForkServer:
    """Starts children that have already imported the modules. Thread-safe."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """
        Args:
            modules: the modules to import before the first child is forked.
            environment: variables for the imports, in addition to those of the owner.
        """
        self._modules = modules
        self._environment = environment or {}
        self._lock = Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the fork server and its children."""
        with self._lock:
            if self._control is not None and self._process is not None:
                self._control.close()
                self._process.wait()
                self._control = self._process = None

    def start(
        self,
        entry: str,
        *,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
    ) -> ForkedProcess:
        """Fork a child.

        Args:
            entry: ``module:function`` to call.
            arguments: ``sys.argv``.
            environment: the whole environment of the child.
            log: file that standard output and standard error are appended to.

        Raises:
            RuntimeError: the fork server has ended. Its standard error has the reason.
        """
        ours, theirs = socket.socketpair()
        asked = {"entry": entry, "arguments": list(arguments), "environment": dict(environment)}
        try:
            with theirs, log.open("ab") as output:
                socket.send_fds(self._running(), [b"+"], [theirs.fileno(), output.fileno()])
            ours.sendall(json.dumps(asked).encode() + b"\n")
            pid = _read_line(ours)
        except (BrokenPipeError, ConnectionResetError):
            pid = b""
        if not pid:
            ours.close()
            raise RuntimeError(f"The process that {entry} is forked from has ended")
        return ForkedProcess(int(pid), ours)

    def _running(self) -> socket.socket:
        with self._lock:
            if self._control is None:
                ours, theirs = socket.socketpair()
                with theirs:
                    self._process = subprocess.Popen(
                        [sys.executable, "-m", __name__, str(theirs.fileno()), *self._modules],
                        cwd=ROOT,
                        env={
                            **os.environ,
                            **self._environment,
                            "PYTHONPATH": os.pathsep.join((str(ROOT / "operator"), str(ROOT))),
                            "PYTHONUNBUFFERED": "1",
                        },
                        stdin=subprocess.DEVNULL,
                        pass_fds=[theirs.fileno()],
                        start_new_session=True,
                    )
                self._control = ours
            return self._control


class ForkedProcess:
    """A child of the fork server, as its owner sees it. Not thread-safe."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self._connection = connection
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code (128 plus the number of the signal after a signal). None: it still runs after the time-out.

        Args:
            timeout: seconds. None: no limit.
        """
        if self._code is None:
            self._connection.settimeout(max(timeout, 1e-3) if timeout is not None else None)
            try:
                said = _read_line(self._connection)
            except TimeoutError:
                return None
            self._connection.close()
            self._code = int(said or 128 + signal.SIGKILL)  # the fork server has ended, and its children with it
        return self._code

    def has_ended(self) -> bool:
        """Whether the child has ended."""
        return self.wait(0) is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child, if it still runs."""
        if not self.has_ended():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def stop(self, grace: float = 5.0) -> None:
        """Send SIGTERM, and kill the child after the grace period.

        Args:
            grace: seconds between SIGTERM and SIGKILL.
        """
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # a stopped process handles SIGTERM only after SIGCONT
        if self.wait(grace) is None:
            self.signal(signal.SIGKILL)
            self.wait()


def _read_line(connection: socket.socket) -> bytes:
    """The next line, without its end. Empty: the other side has closed the connection."""
    line = b""
    while not line.endswith(b"\n"):
        received = connection.recv(65536)
        if not received:
            return b""
        line += received
    return line[:-1]


# The fork server's own process


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    connection: socket.socket
    alive: int
    """The end of a pipe that is closed when the child has ended."""


def main() -> None:
    """Fork a child for each request until the owner has ended. In a child: run its entry point."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # so that the first collection in a child does not copy the memory of all imports
    be = _serve(control)
    if be is not None:
        be()


def _serve(control: socket.socket) -> Callable[[], None] | None:
    """Return the work of a child. None: this is the fork server itself, and the owner has ended."""
    with control, selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                child = cast(_Child | None, key.data)
                if child is None:
                    _, fds, _, _ = socket.recv_fds(control, 1, 2)
                    if not fds:
                        _kill_all(selector)
                        return None
                    be = _fork(selector, socket.socket(fileno=fds[0]), fds[1])
                    if be is not None:
                        _close_all(selector, control)
                        return be
                elif key.fd == child.alive:
                    _bury(selector, child)
                    break  # the other keys may belong to this child
                else:
                    os.kill(child.pid, signal.SIGKILL)  # the owner has ended; only _bury reaps the child
                    selector.unregister(child.connection)


def _fork(selector: selectors.BaseSelector, connection: socket.socket, log: int) -> Callable[[], None] | None:
    line = _read_line(connection)
    if not line:  # the owner has ended
        connection.close()
        os.close(log)
        return None
    asked = json.loads(line)
    alive, held = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _die_with(parent)
        with suppress(OSError), connection:
            connection.sendall(b"%d\n" % os.getpid())  # not earlier, because the owner may stop the child immediately
        os.close(alive)
        return lambda: _be(asked, log)
    os.close(held)
    os.close(log)
    child = _Child(pid, connection, alive)
    selector.register(connection, selectors.EVENT_READ, child)
    selector.register(alive, selectors.EVENT_READ, child)
    return None


def _bury(selector: selectors.BaseSelector, child: _Child) -> None:
    _, status = os.waitpid(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    with suppress(OSError):
        child.connection.sendall(b"%d\n" % (code if code >= 0 else 128 - code))
    with suppress(KeyError):
        selector.unregister(child.connection)
    selector.unregister(child.alive)
    child.connection.close()
    os.close(child.alive)


def _kill_all(selector: selectors.BaseSelector) -> None:
    for child in _children(selector):
        os.kill(child.pid, signal.SIGKILL)  # only _bury reaps the child


def _children(selector: selectors.BaseSelector) -> set[_Child]:
    return {cast(_Child, key.data) for key in selector.get_map().values() if key.data is not None}


def _close_all(selector: selectors.BaseSelector, control: socket.socket) -> None:
    """Close, in a child, the connections of the fork server and of the other children."""
    for child in _children(selector):
        child.connection.close()
        os.close(child.alive)
    control.close()


def _die_with(parent: int) -> None:
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call above
        os._exit(1)


def _be(asked: dict[str, Any], log: int) -> None:
    os.setsid()
    for fd in (1, 2):
        os.dup2(log, fd)
    os.close(log)
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    sys.argv[:] = asked["arguments"]
    pkgutil.resolve_name(asked["entry"])()


if __name__ == "__main__":
    main()
