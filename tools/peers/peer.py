"""Another tool's resource, field by field, and its table for docs/how-to/migrating/."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from esm_operator.api.fields import FIELDS

#: What a resource says beside AWS's own fields.
_OWN = (
    "tags",
    "region",
    "providerConfigRef.name",
    "deletionPolicy",
    "managementPolicy",
    "replacePolicy",
    "adoption.policy",
)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another tool's resource, field by field."""

    name: str
    spec: Mapping[str, str]
    """Its field -> the field of our spec; empty: there is none."""
    status: Mapping[str, str]
    """Its field -> the field of our status; empty: there is none."""
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is not the same on both sides, beyond the name."""

    def markdown(self) -> str:
        """The table, for the documentation."""
        rows = [
            f"| {self.name} | this resource | difference |",
            "|---|---|---|",
            *self._rows(self.spec, "spec"),
            *self._rows(self.status, "status"),
            *(f"|  | `spec.{path}` | only here |" for path in self.only_here()),
        ]
        return "\n".join(rows) + "\n"

    def only_here(self) -> list[str]:
        """The fields of our spec that it has nothing for."""
        had = set(self.spec.values())
        return [path for path in (*(row.path for row in FIELDS), *_OWN) if not _covered(path, had)]

    def _rows(self, part: Mapping[str, str], place: str) -> Iterator[str]:
        for name, path in part.items():
            here = f"`{place}.{path}`" if path else ""
            yield f"| `{name}` | {here} | {self.notes.get(name, '')} |"


def under(prefix: str, parts: Mapping[str, str], place: str) -> dict[str, str]:
    """The parts of a structure: name -> field, both behind what they stand in."""
    return {f"{prefix}.{name}": f"{place}.{path}" for name, path in parts.items()}


def _covered(path: str, had: Iterable[str]) -> bool:
    """Whether a field, or parts of it (a filter's pattern), are somewhere on the other side."""
    return any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in had)
