"""Commands at a terminal, for tests of commands that people run by hand, and of the files that they leave."""

import os
import pty
import selectors
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
#: The limit for a command that sets up a cluster, in seconds.
LIMIT = 1200.0


class Terminal:
    """A command at its own terminal, in the checkout."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execvpe(command[0], list(command), dict(environment))
        self.seen = ""

    def wait_for(self, text: str, limit: float = LIMIT) -> None:
        """Read until this text appears."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._terminal, selectors.EVENT_READ)

            def is_written() -> bool:
                if text not in self.seen and selector.select(1.0):
                    self._read()
                return text in self.seen

            eventually(is_written, lambda: f"{text} is written:\n{self.seen}", limit=limit, every=0)

    def press_ctrl_c(self) -> None:
        """Type a text, as a person does at the keyboard."""
        os.write(self._terminal, b"\x03")

    def exit_status(self) -> int:
        """Read to the end, and wait until the command has ended."""
        with suppress(OSError):  # the read fails when no process has the terminal open any more
            while self._read():
                pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> int:
        data = os.read(self._terminal, 65536)
        self.seen += data.decode(errors="replace")
        return len(data)


def left_by(environment: Mapping[str, str]) -> list[str]:
    """The processes that have this temporary folder in their environment or on their command line."""
    mark = environment["TMPDIR"].encode()
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            if command and mark in (folder / "environ").read_bytes() + command:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def assert_nothing_left(environment: Mapping[str, str], *, files: bool = False) -> None:
    """Check that no process remains, and no file if the demo could remove its files."""
    eventually(lambda: not left_by(environment), lambda: f"no process is left of {left_by(environment)}")
    if not files:
        assert list(Path(environment["TMPDIR"]).glob("esm-operator-*")) == []
