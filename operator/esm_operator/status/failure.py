"""The meaning of an AWS error for a resource: reason, AWS's own sentence, and when the operator retries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from esm_operator.api.foreign_text import ANSWER, shown
from esm_operator.api.reasons import RefusalReason


def sentence_of(text: str) -> str:
    """A text of AWS in one visible line of limited length, with punctuation at its end."""
    text = shown(" ".join(text.split()), ANSWER)
    return text if text.endswith((".", "!", "?")) else f"{text}."


class Disposition(Enum):
    """When the operator retries: (first delay, longest delay) in seconds."""

    SOON = (1.0, 60.0)
    SLOW = (15.0, 300.0)
    PERSON = (60.0, 1800.0)
    FATAL = (3600.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of AWS, understood. ``status/reason_table.py`` makes its message."""

    reason: RefusalReason
    disposition: Disposition
    answer: str = ""
    """What AWS answered, or why there is no answer: a whole sentence that quotes AWS."""
    case: str = ""
    """Which sentence, if the reason has more than one."""
    sentence: str = ""
    """AWS's own sentence, or its code where AWS gave no sentence; empty where AWS did not answer."""
    remedy: str = ""
    """What to do, if AWS's own sentence shows more than the reason does; empty: the remedy of the reason."""
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """The values that the sentence of the reason names."""
    throttled: bool = False
    retry_after: float = 0.0
    """Seconds for which AWS asks not to be called, or 0."""
