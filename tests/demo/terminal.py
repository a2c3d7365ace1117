"""Output of the demo: explanations, commands, their output, and tables that are printed again when they change."""

import sys
import textwrap
from typing import TextIO

WIDTH = 100  # columns of an explanation


def explain(text: str) -> None:
    """Print what happens in the next step."""
    _write("\n" + textwrap.fill(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False))


def command(text: str) -> None:
    """Print a command as a person types it."""
    _write(f"$ {text}")


def output(text: str) -> None:
    """Print the output of a command, or a line of the demo."""
    if text.strip():
        _write(text.rstrip("\n"))


def problem(text: str) -> None:
    """Print why the demo ends early."""
    _write(text, sys.stderr)


class Table:
    """Prints the table of `kubectl get` again when it has changed. The ages in its last column do not count."""

    def __init__(self) -> None:
        self._shown: list[list[str]] | None = None

    def show(self, text: str, shown_command: str) -> None:
        """Print the table and its command if it has changed."""
        rows = [line.split()[:-1] for line in text.splitlines()]
        if rows != self._shown:
            self._shown = rows
            _write("")
            command(shown_command)
            output(text)


def _write(text: str, stream: TextIO | None = None) -> None:
    print(text, file=stream or sys.stdout, flush=True)
