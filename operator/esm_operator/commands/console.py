"""What the commands write for a person at a terminal: lines on standard error, and how far a command is."""

import sys

from esm_operator.ratelimit.report_filter import ReportFilter

#: Seconds between two lines about how far a command is.
PAUSE = 5.0


class Console:
    """Standard error, a line at a time."""

    def __init__(self) -> None:
        self._progress = ReportFilter(PAUSE)
        self._progress.admit("progress")  # a command that is quick reports none

    def say(self, text: str) -> None:
        """Write a line."""
        print(f"esm-operator: {text}", file=sys.stderr, flush=True)

    def report_progress(self, text: str) -> None:
        """Write how far the command is, unless something was written of it just before."""
        if self._progress.admit("progress"):
            self.say(text)
