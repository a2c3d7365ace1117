"""Settings that can change while the server runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class DestinationReset(StrEnum):
    """The form of DestinationConfig that removes an on-failure destination. Public reports differ."""

    EMPTY_TEXT = "empty-text"  # {OnFailure: {Destination: ""}}; {} changes nothing
    EMPTY_STRUCTURE = "empty-structure"  # {}; an empty Destination is refused
    IGNORED = "ignored"  # no form: an empty Destination is refused, and {} changes nothing
    REFUSED = "refused"  # no form: both are refused


@dataclass(slots=True)
class Settings:
    """`pace`: seconds that a transition takes (0: done at the next request). `quota`, `tagging_quota`:
    requests a second for an account and region, 0 for no limit. `tagging_lag`: seconds until the tagging API
    sees a change. `retry_after`: the header of a throttled answer. `hold`: no transition ends.
    `empty_resets`: AWS takes an empty LoggingConfig or SchemaRegistryConfig as a reset; nobody knows whether
    it does. `destination_reset`: what removes an on-failure destination. `tag_delay`: seconds until ListTags
    and GetResources show the tags of a Create; a second emulator stores a mapping before its tags, and AWS documents
    nowhere that it does otherwise. `tags_supported`: false
    where mappings cannot have tags, as reported for AWS GovCloud, China and the European Sovereign Cloud.
    `result_period`: seconds after which the last processing result of each mapping changes between "OK" and "No records
    processed", 0 for never. On AWS this is so on streams with little traffic (reported)."""

    pace: float = 2.0
    quota: float = 15.0
    tagging_quota: float = 15.0
    tagging_lag: float = 0.0
    retry_after: str | None = None
    hold: bool = False
    empty_resets: bool = False
    tag_delay: float = 0.0
    destination_reset: DestinationReset = DestinationReset.EMPTY_TEXT
    tags_supported: bool = True
    result_period: float = 0.0

    def __post_init__(self) -> None:
        self.destination_reset = DestinationReset(self.destination_reset)

    def arguments(self) -> list[str]:
        """The settings as arguments of `python -m tests.aws`."""
        arguments: list[str] = []
        for name, value in asdict(self).items():
            flag = f"--{name.replace('_', '-')}"
            if isinstance(value, bool):
                arguments.append(flag if value else flag.replace("--", "--no-", 1))
            elif value is not None:
                arguments.append(f"{flag}={value}")
        return arguments
