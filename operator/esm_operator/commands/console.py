"""The lines that commands write to standard error."""

import sys

from esm_operator.ratelimit.report_filter import ReportFilter

#: Seconds between two lines about progress.
_PAUSE = 5.0


class Console:
    """Standard error, a line at a time."""

    def __init__(self) -> None:
        self.failed = False
        self._progress = ReportFilter(_PAUSE)
        self._progress.admit("progress")  # a command that is quick reports none

    def say(self, text: str) -> None:
        """Write a line."""
        print(f"esm-operator: {text}", file=sys.stderr, flush=True)

    def fail(self, text: str) -> None:
        """Write a line, and record that the command has failed."""
        self.failed = True
        self.say(text)

    def report_progress(self, text: str) -> None:
        """Write a line about progress, unless one was written in the last seconds."""
        if self._progress.admit("progress"):
            self.say(text)
