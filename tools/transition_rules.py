"""The rules that compare a spec with its former version. Only the API server checks them, so only the CRD has them."""

from collections.abc import Iterator, Mapping

from esm_operator.api import access
from esm_operator.api.expressions import present, quoted, quoted_list
from esm_operator.api.fields import FIELDS, IMMUTABLE_ACCESS_TYPES
from esm_operator.api.ignore_changes import covering
from esm_operator.api.rule import Rule, forbidden

_RECREATE = "has(self.replacePolicy) && self.replacePolicy == 'Recreate'"
_CLUSTER = "selfManagedEventSource"
_SERVERS = f"{_CLUSTER}.endpoints.KAFKA_BOOTSTRAP_SERVERS"
_ACCESS = "sourceAccessConfigurations"
_REMEDY = "back, or set replacePolicy: Recreate to replace the mapping with a new one, or make a new resource."


def _unchanged(path: str) -> str:
    return (
        f"({present(path)}) ? ({present(path, 'oldSelf')} && self.{path} == oldSelf.{path}) "
        f": !({present(path, 'oldSelf')})"
    )


def _kept(path: str) -> str:
    """The same for a field that other rules require, or that a reference replaces."""
    return f"self.{path} == oldSelf.{path} || !({present(path)}) || !({present(path, 'oldSelf')})"


def _or_ignored(path: str) -> str:
    """The end of a test of a field that ignoreChanges may name. The operator then does not replace the mapping."""
    entries = covering(path)
    if not entries:
        return ""
    named = f"self.ignoreChanges.exists(item, item in {quoted_list(entries)})"
    return f" || (has(self.ignoreChanges) && {named})"


#: Fields that are required, or that a reference can replace. The operator checks the values of references. The rule
#: about the servers also refuses to change from another source to self-managed Kafka, or back.
_SPECIAL: Mapping[str, str] = {
    "eventSourceARN": _kept("eventSourceARN"),
    "topics": _kept("topics"),
    _SERVERS: f"has(self.{_CLUSTER}) == has(oldSelf.{_CLUSTER}) && ({_kept(_SERVERS)})",
}


def _immutable() -> Iterator[Rule]:
    """Fields and entries that AWS can't change."""
    for row in FIELDS:
        if row.immutable:
            unchanged = _SPECIAL.get(row.path) or _unchanged(row.path)
            yield forbidden(
                field=row.path,
                test=f"({unchanged}) || ({_RECREATE}){_or_ignored(row.path)}",
                words=f"AWS can't change, add or remove {row.path} of a mapping for {{source}}. "
                f"Put the old value {_REMEDY}",
                sources=row.sources,
            )
    for row in access.ACCESS_TYPES:
        if row.name in IMMUTABLE_ACCESS_TYPES:
            yield forbidden(
                field=_ACCESS,
                test=f"{_uris('self', row.name)} == {_uris('oldSelf', row.name)} || ({_RECREATE})"
                f"{_or_ignored(_ACCESS)}",
                words=f"AWS can't change, add or remove the entry {row.name} in {_ACCESS} of a mapping for {{source}}. "
                f"Put the old entry {_REMEDY}",
                sources=row.sources,
            )


def _uris(root: str, access_type: str) -> str:
    kept = f"{root}.{_ACCESS}.filter(item, item.type == {quoted(access_type)} && has(item.uri)).map(item, item.uri)"
    return f"({present(_ACCESS, root)} ? {kept} : [])"


def _fixed(path: str, what: str) -> Rule:
    """A field that can't change, whatever the replacePolicy."""
    return forbidden(
        field=path,
        test=_unchanged(path),
        words=f"{path} can't be changed, added or removed after creation ({{source}}), because the "
        f"mapping stays in its {what}. Put the old value back, or make a new resource.",
    )


#: The transition rules of EventSourceMapping.
TRANSITION_RULES: tuple[Rule, ...] = (
    *_immutable(),
    _fixed("region", "region"),
    _fixed("providerConfigRef.name", "account"),
)
