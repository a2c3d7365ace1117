"""The parts of a status that the operator reads back: conditions and ``status.applied``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that AWS keeps though its field is gone from the spec."""

    value: str
    """The value as text, to notice when AWS has it no more."""
    message: str = ""
    """AWS's sentence, where it refused to reset the field; empty where it took the request and kept the value."""
    generation: int = 0
    """metadata.generation for which AWS refused it."""

    def render(self) -> dict[str, Any]:
        """As ``status.applied.kept`` has it."""
        refusal = {"message": self.message, "generation": self.generation} if self.message else {}
        return {"value": self.value, **refusal}


@dataclass(frozen=True, slots=True)
class Applied:
    """What this resource has put into AWS."""

    fields: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    immutable: Mapping[str, str] | None = None
    kept: Mapping[str, Kept] = field(default_factory=dict[str, Kept])
    """Those of the fields that are gone from the spec and that AWS keeps, by path. A field is added with the Update
    that resets it, and removed when AWS shows another value."""

    def render(self) -> dict[str, Any]:
        """As ``status.applied`` keeps it."""
        kept = {path: one.render() for path, one in sorted(self.kept.items())}
        return {
            "fields": sorted(self.fields),
            "tags": sorted(self.tags),
            "immutable": dict(sorted((self.immutable or {}).items())),
            **({"kept": kept} if kept else {}),
        }


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition of a status, or an empty one."""
    return next((one for one in status.get("conditions") or () if one.get("type") == kind), {})


def applied_of(status: Mapping[str, Any]) -> Applied:
    """What ``status.applied`` says."""
    applied = status.get("applied") or {}
    return Applied(
        fields=frozenset(applied.get("fields") or ()),
        tags=frozenset(applied.get("tags") or ()),
        immutable=applied.get("immutable") or {},
        kept={
            path: Kept(str(one.get("value", "")), str(one.get("message", "")), int(one.get("generation", 0)))
            for path, one in (applied.get("kept") or {}).items()
        },
    )
