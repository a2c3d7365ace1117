"""What is written on the terminal: explanations, commands with what they print, and tables when they change."""

import sys
from typing import TextIO

LEAD = "\n# "


def explain(text: str) -> None:
    """A short line before a step: what happens now."""
    _write(f"{LEAD}{text}")


def command(text: str) -> None:
    """A command as one would type it."""
    _write(f"$ {text}")


def output(text: str) -> None:
    """What a command printed, or a line of the demo's own."""
    if text.strip():
        _write(text.rstrip("\n"))


def problem(text: str) -> None:
    """Why it ends before its time."""
    _write(text, sys.stderr)


class Table:
    """Prints a table of `kubectl get` again when it differs in more than the ages in its last column."""

    def __init__(self) -> None:
        self._shown: list[list[str]] | None = None

    def show(self, text: str, shown_command: str) -> None:
        """The table as it is now."""
        rows = [line.split()[:-1] for line in text.splitlines()]
        if rows != self._shown:
            self._shown = rows
            _write("")
            command(shown_command)
            output(text)


def _write(text: str, stream: TextIO | None = None) -> None:
    print(text, file=stream or sys.stdout, flush=True)
