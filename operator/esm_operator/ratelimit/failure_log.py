"""The failure log: log lines about failures that recur, and about their end.

The first failure is a line. Failures of the same cause are counted, and the next line about the cause, a minute later,
has the number. A last line reports that the failures have ended.
"""

import logging
import traceback
from collections import Counter
from collections.abc import Hashable, Mapping

from esm_operator.clock import monotonic

#: Seconds between two lines about the same cause.
REPEAT_AFTER = 60.0


class FailureLog:
    """The failures of one thing, which several subjects may share. For one event loop.

    Example::

        self._failures = FailureLog(logger, "The API server accepts the requests of the operator again")
        self._failures.failed(f"PATCH of {key} failed with 503. The operator retries in 2 s.", subject=key, cause=503)
        self._failures.succeeded(key)
    """

    def __init__(self, logger: logging.Logger, recovered: str) -> None:
        """``recovered`` is the beginning of the last line."""
        self._logger = logger
        self._recovered = recovered
        self._failing: set[Hashable] = set()
        self._began = 0.0
        self._count = 0
        self._logged: dict[Hashable, float] = {}
        """By cause: the time of the last line."""
        self._repeated: Counter[Hashable] = Counter()
        """By cause: failures since the last line."""

    def failed(
        self,
        text: str,
        *,
        subject: Hashable = "",
        cause: Hashable = None,
        extra: Mapping[str, str] | None = None,
        bug: Exception | None = None,
    ) -> None:
        """Report a failure.

        Args:
            text: the line, as sentences.
            subject: what fails.
            cause: what the failures that are counted together have in common; None: the text.
            extra: members of the line in JSON.
            bug: an exception that nobody expected. The line is an error and has its traceback.
        """
        now, cause = monotonic(), text if cause is None else cause
        if not self._failing:
            self._began, self._count = now, 0
        self._failing.add(subject)
        self._count += 1
        since = now - self._logged.get(cause, now - REPEAT_AFTER)
        if since < REPEAT_AFTER:
            self._repeated[cause] += 1
            return
        self._logged[cause] = now
        times = self._repeated.pop(cause, 0)
        again = f" This failure occurred {times} more times in the last {since:.0f} s." if times else ""
        level = logging.WARNING if bug is None else logging.ERROR
        self._logger.log(level, "%s%s", text, again, extra=extra, exc_info=bug)

    def failed_unexpectedly(
        self, text: str, error: Exception, *, subject: Hashable = "", extra: Mapping[str, str] | None = None
    ) -> None:
        """Report an exception that nobody expected. Exceptions of one line of the code have the same cause."""
        self.failed(text, subject=subject, cause=cause_of(error), extra=extra, bug=error)

    def forget(self, subject: Hashable = "") -> None:
        """Forget the failures of a subject, because it is replaced."""
        self._failing.discard(subject)

    def succeeded(self, subject: Hashable = "") -> None:
        """Report that a subject does not fail any more, or does not exist any more."""
        if subject not in self._failing:
            return
        self._failing.discard(subject)
        if not self._failing:
            seconds = monotonic() - self._began
            self._logger.info("%s, after %d failures in %.0f s.", self._recovered, self._count, seconds)
            self._logged.clear()
            self._repeated.clear()


def cause_of(error: BaseException) -> Hashable:
    """The type of an exception, and the line of the code that raised it. The text can differ each time."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return (type(error), *[(frame.filename, frame.lineno) for frame in frames])
