"""The report filter: admits a log line or an Event once, not at each attempt at which its cause recurs.

A person wants to read of a cause when it begins, when it changes, and perhaps now and then. Each part that reports
lasting causes has a filter of its own. Repeated Events are not filtered, because the API server counts them.
"""

import math
from collections.abc import Collection, Hashable

from esm_operator.clock import monotonic


class ReportFilter:
    """The last report about each subject. The same is reported again after ``repeat_after`` seconds.

    Example::

        if self._reports.admit(target, sentence):
            logger.error("%s", sentence)
    """

    def __init__(self, repeat_after: float = math.inf) -> None:
        self._repeat_after = repeat_after
        self._reported: dict[Hashable, tuple[Hashable, float]] = {}
        """The content and time of the last report, by subject."""

    def admit(self, subject: Hashable, content: Hashable = None) -> bool:
        """Whether to report: the content differs from the last report about the subject, or that one is too old."""
        now = monotonic()
        known = self._reported.get(subject)
        if known is not None and known[0] == content and now - known[1] < self._repeat_after:
            return False
        self._reported[subject] = content, now
        return True

    def forget(self, subject: Hashable) -> None:
        """Admit the next report about a subject, because the cause of the last one is over."""
        self._reported.pop(subject, None)

    def keep(self, subjects: Collection[Hashable]) -> None:
        """Forget all subjects but these."""
        self._reported = {subject: known for subject, known in self._reported.items() if subject in subjects}

    def forget_old(self) -> None:
        """Forget all subjects whose last report is too old."""
        old = monotonic() - self._repeat_after
        self._reported = {subject: known for subject, known in self._reported.items() if known[1] > old}

    def clear(self) -> None:
        """Forget all subjects."""
        self._reported.clear()
