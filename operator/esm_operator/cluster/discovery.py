"""Discovery: the plural and the scope of a kind, as the API server serves it.

Users choose the kinds that their resources reference, and can invent kinds. So one discovery covers many kinds. It
costs one request, and one more for each requested group and version that the API server serves. Invented kinds cost no
more requests. ``reference_watches.py`` repeats the discovery while a kind is not served. The command ``export``
discovers kinds of any version.
"""

import re
from collections.abc import Callable, Collection, Mapping, Set
from typing import NamedTuple

from esm_operator.api.reference_kinds import group_of
from esm_operator.api.references import is_never_read
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.transport import is_unserved

_GROUP_VERSION = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?v[0-9][a-z0-9]{0,30}")
_NEEDED = frozenset({"list", "watch"})


class Kind(NamedTuple):
    """A kind, as a manifest names it."""

    api_version: str
    kind: str

    def __str__(self) -> str:
        group, _, version = self.api_version.rpartition("/")
        return f"{self.kind}.{version}.{group}" if group else f"{self.kind}.{version}"


class ServedKind(NamedTuple):
    """How the API server serves a kind."""

    api_path: str
    """Of the group and version, such as ``/apis/apps/v1``."""
    plural: str
    namespaced: bool

    def path(self, namespace: str = "") -> str:
        """The path of all objects. If a namespace is given, of those in it."""
        folder = f"{self.api_path}/namespaces/{namespace}" if namespace else self.api_path
        return f"{folder}/{self.plural}"


async def discover(
    kubernetes: KubernetesClient,
    kinds: Collection[Kind],
    failed: Callable[[str, Exception], object] = lambda group_version, error: None,
) -> Mapping[Kind, ServedKind | None]:
    """How the API server serves kinds; None: the API server does not serve the kind, or the operator never reads it.

    The result does not contain the kinds of an API group that cannot answer now, for example because its extension
    server is down. ``failed`` is called with each such group and version, and with the error.

    Raises:
        ApiError, aiohttp.ClientError, TimeoutError: the API server does not answer which groups it serves.
    """
    found: dict[Kind, ServedKind | None] = dict.fromkeys(kinds)
    wanted: dict[str, set[Kind]] = {}
    for kind in kinds:
        if _GROUP_VERSION.fullmatch(kind.api_version):
            wanted.setdefault(kind.api_version, set()).add(kind)
    groups = await kubernetes.api_group_versions() if any("/" in version for version in wanted) else []
    for group_version in sorted(wanted.keys() & {*groups, "v1"}):
        of_group = wanted[group_version]
        try:
            found |= await _kinds_of(kubernetes, group_version, of_group)
        except Exception as error:
            if is_unserved(error):
                continue  # the group was removed after the first request
            failed(group_version, error)  # also after an unexpected answer of an extension API server
            for kind in of_group:
                del found[kind]
    return found


async def discover_preferred(
    kubernetes: KubernetesClient, kinds: Collection[tuple[str, str]]
) -> Mapping[tuple[str, str], tuple[Kind, ServedKind] | None]:
    """How the API server serves kinds of any version, by API group and kind; None: it cannot answer now.

    The version of a kind is the one that kubectl uses. That is the preferred version of the API server, if it has the
    kind. The result does not contain kinds that the API server does not serve.

    Raises:
        ApiError, aiohttp.ClientError, TimeoutError: the API server does not answer which groups it serves.
    """
    versions = await kubernetes.api_group_versions()
    asked = [Kind(version, kind) for version in versions for group, kind in kinds if group == group_of(version)]
    served = await discover(kubernetes, asked)
    found: dict[tuple[str, str], tuple[Kind, ServedKind] | None] = {}
    for one in asked:
        how, name = served.get(one), (group_of(one.api_version), one.kind)
        if how is not None:
            found[name] = found.get(name) or (one, how)
        elif one not in served:
            found.setdefault(name, None)
    return found


async def _kinds_of(
    kubernetes: KubernetesClient, group_version: str, kinds: Set[Kind]
) -> dict[Kind, ServedKind | None]:
    api_path = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    found: dict[Kind, ServedKind | None] = {}
    for resource in await kubernetes.api_resources(group_version):
        kind, plural = Kind(group_version, str(resource.get("kind"))), str(resource.get("name"))
        is_wanted = kind in kinds and not is_never_read(*kind) and "/" not in plural  # with a slash: a subresource
        if is_wanted and {*(resource.get("verbs") or ())} >= _NEEDED:
            found[kind] = ServedKind(api_path, plural, bool(resource.get("namespaced")))
    return found
