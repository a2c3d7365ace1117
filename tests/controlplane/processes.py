"""Child processes with a log file, which end with their owner: etcd, kube-apiserver, and builds with Go."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals

from tests.controlplane.errors import ControlPlaneError

GUARD = Path(__file__).with_name("guard.py")
LOG_LINES_SHOWN = 20


class GuardedProcess:
    """A running command, in a session of its own. Ctrl-C at the terminal reaches only the owner."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self._log = log
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", GUARD, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        assert self._guard.stdout
        with self._guard.stdout as said:
            pid = said.readline()
        if not pid:
            self._guard.wait()
            raise ControlPlaneError(self.describe_end())
        self.pid = int(pid)

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code. None: the process still runs after the timeout."""
        try:
            code = self._guard.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        assert self._guard.stdin
        self._guard.stdin.close()
        return code

    def has_ended(self) -> bool:
        return self.wait(0) is not None

    def check(self) -> None:
        """Raise ControlPlaneError if the process has ended."""
        if self.has_ended():
            raise ControlPlaneError(self.describe_end())

    def describe_end(self) -> str:
        return f"{self.name} ended with exit code {self._guard.returncode}. {self.log_tail()}"

    def log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return "\n".join(["The end of its log:", *(f"    {line}" for line in lines)])

    def pause(self) -> None:
        self.signal(SIGSTOP)

    def resume(self) -> None:
        self.signal(SIGCONT)

    def stop(self, grace: float = 5) -> None:
        """Send SIGTERM, and SIGKILL if the process still runs after so many seconds."""
        self.signal(SIGTERM)
        self.signal(SIGCONT)  # a paused process gets the first signal only now
        if self.wait(grace) is None:
            self.signal(SIGKILL)
            self.wait()

    def signal(self, number: Signals) -> None:
        """Send a signal to the process, if it still runs."""
        if not self.has_ended():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(self.pid, number)
