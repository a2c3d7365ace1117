"""Finds resources in manifests that exclude each other.

Two resources of a file must have different names, or the second replaces the first. Two resources of all files must
not have the same function and source, because AWS allows only one such mapping. ``validate`` reports both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from esm_operator.api.frozen_json import is_object
from esm_operator.api.manifests import Path
from esm_operator.api.reference_kinds import SOURCE
from esm_operator.api.references import references_of, with_values
from esm_operator.api.resource import KIND
from esm_operator.api.sources import ARN_SERVICES
from esm_operator.api.spec import MappingSpec, RequestedTarget


class _Mapping(NamedTuple):
    spec: MappingSpec
    name: str
    place: str


@dataclass(slots=True)
class MappingsInFiles:
    """The resources that were checked before."""

    _names: dict[tuple[str, str, str, str], int] = field(default_factory=dict[tuple[str, str, str, str], int])
    """The line of each resource, by file, kind, namespace and name."""
    _mappings: dict[tuple[RequestedTarget, tuple[str, str]], list[_Mapping]] = field(
        default_factory=dict[tuple[RequestedTarget, tuple[str, str]], list[_Mapping]]
    )
    """By target and by the key of the identity."""

    def conflicts(
        self, file: str, line: int, kind: str, value: Mapping[str, Any], *, valid: bool
    ) -> Iterator[tuple[Path, str]]:
        """Add a resource, and return its conflicts with earlier ones.

        Args:
            file: the file of the resource.
            line: its line in the file.
            kind: its kind.
            value: the resource.
            valid: whether the resource has no other problems.
        """
        metadata = value.get("metadata")
        if not is_object(metadata) or not metadata.get("name"):
            return
        namespace, name = str(metadata.get("namespace") or ""), str(metadata["name"])
        earlier = self._names.setdefault((file, kind, namespace, name), line)
        if earlier != line:
            yield ("metadata", "name"), f"Line {earlier} has the same resource. Rename or remove one of the two."
        elif valid and kind == KIND:
            full_name = f"{namespace}/{name}" if namespace else name
            spec = MappingSpec.parse(_comparable(value["spec"], namespace))
            yield from self._same_mapping(_Mapping(spec, full_name, f"{file}:{line}"))

    def _same_mapping(self, new: _Mapping) -> Iterator[tuple[Path, str]]:
        if new.spec.source is None or new.spec.observe_only:
            return
        earlier = self._mappings.setdefault((new.spec.requested_target, new.spec.identity.key), [])
        same = [other for other in earlier if other.spec.identity.same_as(new.spec.identity)]
        if same and new.name not in [other.name for other in same]:  # a copy of a resource is no conflict
            yield (
                ("spec",),
                f"{same[0].name} ({same[0].place}) has the same function and source. AWS allows one mapping for each "
                "function and source. Remove one of the two resources, or change its functionName or its source.",
            )
        earlier.append(new)


def _comparable(spec: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
    """The spec, with a text of each reference in place of its value. Equal references have equal values."""
    source = MappingSpec.parse(spec).source
    service = next((name for name, known in ARN_SERVICES.items() if known is source), "")
    values: dict[str, str] = {}
    for one in references_of(spec):
        named = (one.api_version, one.kind, one.namespace or namespace, one.name, one.field_path, one.key)
        text = " ".join(named)
        values[one.path] = f"arn:aws:{service}:::{text}" if one.path == SOURCE and service else text
    return with_values(spec, values)
