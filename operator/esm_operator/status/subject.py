"""The subject of a message: the mapping that the message is about, and the account and region of the mapping."""

from dataclasses import dataclass

from esm_operator.api.foreign_text import shown
from esm_operator.api.resource import Resource

#: Characters of a name in a message. ARNs are shorter; lists of bootstrap servers can be longer.
_NAME = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a message names. Empty: not known."""

    function: str = ""
    """The name of the function, perhaps with a qualifier."""
    event_source: str = ""
    """The ARN of the event source, or the bootstrap servers of a self-managed cluster."""
    uuid: str = ""
    region: str = ""
    account: str = ""

    @classmethod
    def of(cls, resource: Resource, *, region: str = "", account: str = "", uuid: str = "") -> "Subject":
        """The mapping of a resource. A place that is not given is the one that the resource records."""
        spec, intent = resource.spec, resource.intent
        if intent is not None and region in ("", intent.region):
            region, account = region or intent.region, account or intent.account
        servers = ", ".join(sorted(spec.identity.servers))
        return cls(
            function=spec.identity.function,
            event_source=str(spec.raw.get("eventSourceARN") or servers),
            uuid=uuid or resource.uuid,
            region=region or spec.region,
            account=account,
        )

    def values(self) -> dict[str, str]:
        """The values that each sentence can name."""
        return {name: shown(text, _NAME) for name, text in self._values().items()}

    def _values(self) -> dict[str, str]:
        function = f'Lambda function "{self.function}"' if self.function else "the Lambda function"
        return {
            "function": function,
            "Function": f"{function[0].upper()}{function[1:]}",
            "event_source": f'event source "{self.event_source}"' if self.event_source else "the event source",
            "mapping": self._mapping(),
            "place": self._place(),
        }

    def _mapping(self) -> str:
        uuid = f"mapping {self.uuid}" if self.uuid else "mapping"
        return f'{uuid} of function "{self.function}"' if self.function else uuid

    def _place(self) -> str:
        region = self.region or "the region of the mapping"
        return f"{region} (account {self.account})" if self.account else region
