"""The allow-lists of a ProviderConfig: the functions, event sources and destinations that mappings may connect.

The check compares meanings: a function's name, partial ARN and ARN are one function. It takes time in proportion to the
lengths of value and pattern, because tenants write the values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from esm_operator.api.values import Canonical, FunctionRef
from esm_operator.planning.finding import Finding

#: Stands for the namespace of the resource in a pattern.
NAMESPACE = "${namespace}"
_FUNCTION = "functionName"
_ARN, _SERVERS = "eventSourceARN", "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS"
_DESTINATION = "destinationConfig.onFailure.destination"
#: The characters that ``*`` does not stand for within a pattern.
_PARTS, _PARTS_OF_HOSTS = re.compile("([:/])"), re.compile("([:/.])")


@dataclass(frozen=True, slots=True)
class AllowLists:
    """The allow-lists of one ProviderConfig. None: no limit. Empty: nothing is allowed."""

    functions: tuple[str, ...] | None = None
    event_sources: tuple[str, ...] | None = None
    destinations: tuple[str, ...] | None = None


#: The allow-lists of a ProviderConfig without any.
NO_LIMITS = AllowLists()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a resource may connect: the allow-lists, and the place that names without an ARN mean.

    Example:
        >>> lists = AllowLists(functions=("${namespace}_*",))
        >>> scope = Scope(lists, namespace="team-a", region="eu-west-1", account="123456789012")
        >>> scope.refusal({"functionName": FunctionRef("team-a_orders", "live", "", "")})
        >>> scope.refusal({"functionName": FunctionRef("orders", "", "", "")}).reason
        'NotAllowed'
    """

    lists: AllowLists = NO_LIMITS
    config: str = ""
    """The name of the ProviderConfig."""
    namespace: str = ""
    region: str = ""
    account: str = ""
    """Empty: not known. A pattern that names an account then allows no function."""

    def refusal(self, values: Mapping[str, Canonical], *, uuid: str = "") -> Finding | None:
        """The first field that is not allowed; None: all are allowed.

        Args:
            values: the fields of a spec or of a mapping in AWS, by path, in canonical form.
            uuid: for a mapping in AWS. The finding then does not name its value, which the namespace may not know.
        """
        lists = self.lists
        if lists.functions is not None and not self._is_function_allowed(values.get(_FUNCTION), lists.functions):
            return self._refused(_FUNCTION, values.get(_FUNCTION), "allowedFunctions", lists.functions, uuid)
        if lists.event_sources is not None:
            for field, source in _sources(values):
                if not any(self._matches(pattern, source, of=field) for pattern in lists.event_sources):
                    return self._refused(field, source, "allowedEventSources", lists.event_sources, uuid)
        destination = values.get(_DESTINATION)
        if (
            lists.destinations is not None
            and destination is not None
            and not any(self._matches(pattern, str(destination)) for pattern in lists.destinations)
        ):
            return self._refused(_DESTINATION, destination, "allowedDestinations", lists.destinations, uuid)
        return None

    def _is_function_allowed(self, function: Canonical, patterns: Sequence[str]) -> bool:
        if "*" in patterns:
            return True
        if not isinstance(function, FunctionRef):
            return False
        region, account = function.region or self.region, function.account or self.account
        # The partition is left out, because a name has none. The credentials belong to one partition.
        text = f"lambda:{region}:{account}:function:{function.name}:{function.qualifier or '$LATEST'}"
        return any(self._matches(self._whole(pattern), text) for pattern in patterns)

    def _whole(self, pattern: str) -> str:
        """A pattern of functions without the partition, and with place and version if it lacks them."""
        if pattern.startswith("arn:"):
            whole = pattern.split(":", 2)[-1]
        else:
            whole = f"lambda:{self.region}:{self.account}:function:{pattern}"
        return f"{whole}:*" if whole.count(":") == 4 and not whole.endswith("*") else whole

    def _matches(self, pattern: str, text: str, *, of: str = "") -> bool:
        if NAMESPACE in pattern and not self.namespace:
            return False
        pattern = pattern.replace(NAMESPACE, self.namespace)
        if of == _SERVERS:  # names of hosts have no case
            return matches(pattern.lower(), text.lower(), _PARTS_OF_HOSTS)
        return matches(pattern, text)

    def _refused(self, field: str, value: Canonical, list_name: str, patterns: tuple[str, ...], uuid: str) -> Finding:
        values = {"config": self.config, "namespace": self.namespace, "field": field, "list": list_name}
        if uuid:
            return Finding("NotAllowed", "Found", {**values, "uuid": uuid})
        return Finding("NotAllowed", values={**values, "value": _text(value), "patterns": patterns})


#: The scope of a resource without allow-lists.
UNLIMITED = Scope()


def matches(pattern: str, text: str, parts: re.Pattern[str] = _PARTS) -> bool:
    """Whether a text matches a pattern. ``*`` stands for any characters within a part, and at the end for the rest.

    Args:
        pattern: the pattern.
        text: the text.
        parts: a regular expression of the characters that separate parts, with a group around all of it.
    """
    wanted, found = parts.split(pattern), parts.split(text)
    if pattern.endswith("*"):
        found = found[: len(wanted)]
    return len(wanted) == len(found) and all(map(_part_matches, wanted, found))


def _part_matches(pattern: str, text: str) -> bool:
    """Each piece between two ``*`` is searched from left to right, without going back."""
    first, *others = pattern.split("*")
    if not others:
        return first == text
    *middle, last = others
    if not text.startswith(first):
        return False
    at = len(first)
    for piece in middle:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return len(text) - at >= len(last) and text.endswith(last)


def _sources(values: Mapping[str, Canonical]) -> Iterator[tuple[str, str]]:
    """The sources that must all be allowed, each with its field. A source that is not known is the empty text."""
    arn, servers = values.get(_ARN), values.get(_SERVERS)
    if arn is not None or not isinstance(servers, tuple):
        yield _ARN, str(arn or "")
    if isinstance(servers, tuple):
        yield from ((_SERVERS, f"kafka://{server}") for server in servers)


def _text(value: Canonical) -> str:
    """A refused value as a person writes it."""
    if isinstance(value, FunctionRef):
        if not value.account and not value.region:
            return str(value)
        return ":".join(part for part in (value.region, value.account, "function", str(value)) if part)
    return str(value or "")
