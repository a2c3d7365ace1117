"""The meaning of an AWS error for a resource: reason, message, and when the operator retries."""

from dataclasses import dataclass
from enum import Enum

from esm_operator.api.reasons import RefusalReason


class Disposition(Enum):
    """When the operator retries: (first delay, longest delay) in seconds."""

    SOON = (1.0, 60.0)
    SLOW = (15.0, 300.0)
    PERSON = (60.0, 1800.0)
    FATAL = (3600.0, 3600.0)

    @property
    def stalls(self) -> bool:
        """Whether it waits for a person, so that the resource is Stalled."""
        return self in (Disposition.PERSON, Disposition.FATAL)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of AWS, understood."""

    reason: RefusalReason
    message: str
    disposition: Disposition
    sentence: str = ""
    """AWS's own sentence, or its code where AWS gave no sentence; empty where AWS did not answer."""
    throttled: bool = False
    retry_after: float = 0.0
    """Seconds for which AWS asks not to be called, or 0."""
