"""What a plan ends in, without sentences. ``status/reason_table.py`` has the sentences."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from esm_operator.api.reasons import OutcomeReason


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason, with the values that its sentence names."""

    reason: OutcomeReason
    case: str = ""
    """Which sentence, if the reason has more than one."""
    values: Mapping[str, object] = field(default_factory=dict[str, object])
