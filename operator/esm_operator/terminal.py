"""Prints for the commands. No text from outside reaches a terminal with control or bidirectional characters.

All commands print with these functions, and a test finds other prints.
"""

import sys
import traceback
from typing import NoReturn

from esm_operator.api.foreign_text import MESSAGE, shown, visible


def put(text: str) -> None:
    """Print to standard output. Line feeds in the text end lines, so they must be the program's own."""
    print("\n".join(map(visible, text.split("\n"))))


def report(text: str) -> None:
    """Print one line to standard error, without the name of the program."""
    print(shown(text, MESSAGE), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print one line to standard error, with the name of the program."""
    report(f"esm-operator: {text}")


def stop(text: str, status: int = 1) -> NoReturn:
    """Print one line to standard error, and end the process with this status."""
    say(text)
    sys.exit(status)


def crash(error: Exception) -> NoReturn:
    """Print an exception that nobody expected, with its traceback, to standard error, and end the process.

    The message of an exception can quote text from outside. Python would print it unchanged.
    """
    lines = "".join(traceback.format_exception(error)).rstrip().split("\n")
    print("\n".join(shown(f"  {line}") for line in lines), file=sys.stderr)
    stop(f"The command failed unexpectedly: {type(error).__name__}: {error}")
