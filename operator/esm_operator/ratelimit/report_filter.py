"""The report filter: lets a log line or an Event through once, not each time that its cause is met again.

A cause is met at every attempt or look, while a person wants to read of it when it begins, when it changes, and perhaps
now and then. Each part that reports what lasts has a filter of its own. What repeats an Event is not filtered: the API
server counts it (``cluster/event_recorder.py``).
"""

import math
from collections.abc import Collection, Hashable

from esm_operator.clock import Clock, monotonic


class ReportFilter:
    """What was reported, by subject.

    Example::

        if self._reports.admit(target, sentence):
            logger.error("%s", sentence)
    """

    __slots__ = ("_clock", "_repeat_after", "_reported")

    def __init__(self, repeat_after: float = math.inf, clock: Clock = monotonic) -> None:
        """
        Args:
            repeat_after: seconds after which the same is reported again; infinity: never.
            clock: seconds that only grow.
        """
        self._repeat_after = repeat_after
        self._clock = clock
        self._reported: dict[Hashable, tuple[Hashable, float]] = {}
        """By subject: what was reported of it last, and when."""

    def admit(self, subject: Hashable, content: Hashable = None) -> bool:
        """Let a report through unless the same was reported lately, and remember it.

        Args:
            subject: what the report is about.
            content: what it says; if that differs from the last report about the subject, it is let through.

        Returns:
            whether to report it.
        """
        now = self._clock()
        known = self._reported.get(subject)
        if known is not None and known[0] == content and now - known[1] < self._repeat_after:
            return False
        self._reported[subject] = content, now
        return True

    def forget(self, subject: Hashable) -> None:
        """Let the next report about a subject through, because what was reported is over."""
        self._reported.pop(subject, None)

    def keep(self, subjects: Collection[Hashable]) -> None:
        """Forget all subjects but these."""
        self._reported = {subject: known for subject, known in self._reported.items() if subject in subjects}

    def clear(self) -> None:
        """Forget all subjects."""
        self._reported.clear()
