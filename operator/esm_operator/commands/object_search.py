"""The search of ``esm-operator export --references`` for objects that have the values of mappings.

It lists only kinds that may have one of the values, in pages, and keeps only the data that the index needs. A kind that
the API server does not serve has no objects. If the user may not list a kind in all namespaces, the search lists it in
the namespaces of the manifests.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

from esm_operator.api.reference_kinds import ReferenceKind
from esm_operator.cluster.discovery import Kind, ServedKind, discover_preferred
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.transport import ApiError, ForbiddenError, describe_failure, is_unserved
from esm_operator.commands.account import Console
from esm_operator.commands.cluster_access import connected
from esm_operator.commands.export_references import REFERABLE_KINDS, ObjectIndex
from esm_operator.settings import is_namespace

_Served = Mapping[tuple[str, str], tuple[Kind, ServedKind] | None]


class ObjectSearch:
    """The objects of one cluster."""

    def __init__(self, kubernetes: KubernetesClient, console: Console, served: _Served) -> None:
        """Use :meth:`begin`."""
        self._kubernetes = kubernetes
        self._console = console
        self._served = served
        self._listed = 0
        self._forbidden = list[Kind]()
        self._forbidden_elsewhere = list[Kind]()
        """The kinds that the user may list only in namespaces of manifests."""

    @classmethod
    @asynccontextmanager
    async def connect(cls, console: Console) -> AsyncGenerator["ObjectSearch"]:
        """Connect to the cluster of the kubeconfig or of the pod. A failure in the block ends the process."""
        async with connected("the cluster of the objects") as kubernetes:
            yield await cls.begin(kubernetes, console)

    @classmethod
    async def begin(cls, kubernetes: KubernetesClient, console: Console) -> "ObjectSearch":
        """Find out which kinds the API server serves. Raises ApiError, aiohttp.ClientError or TimeoutError."""
        rows = [(row.group, row.kind) for row in REFERABLE_KINDS]
        return cls(kubernetes, console, await discover_preferred(kubernetes, rows))

    async def fill(self, index: ObjectIndex) -> None:
        """Add the objects of all kinds that an index needs. Raises aiohttp.ClientError or TimeoutError."""
        for row, namespaces in index.needed.items():
            name = (row.group, row.kind)
            if name not in self._served:
                continue
            served = self._served[name]
            if served is None:
                self._console.fail(
                    f"The API server does not answer for {row.kind} of {row.group} now, so the manifests have no "
                    "references to these objects."
                )
                continue
            try:
                await self._add_all(index, row, *served, namespaces)
            except ApiError as error:
                self._console.fail(f"{describe_failure(error)}. So manifests have no references to these objects.")

    def problems(self) -> list[str]:
        """Sentences about the kinds that the user may not list."""
        texts = list[str]()
        if self._forbidden:
            texts.append(
                f"You may not list {_names(self._forbidden)}, so the manifests have no references to these objects."
            )
        if self._forbidden_elsewhere:
            texts.append(
                f"You may list {_names(self._forbidden_elsewhere)} only in some namespaces, so the manifests have no "
                "references to the other objects."
            )
        return texts

    async def _add_all(
        self, index: ObjectIndex, row: ReferenceKind, kind: Kind, served: ServedKind, namespaces: Iterable[str]
    ) -> None:
        """Add the objects of a kind: those of all namespaces, or else those of the namespaces of manifests."""
        if await self._add(index, row, kind, served.path()):
            return
        own = sorted(filter(_is_namespace, namespaces)) if served.namespaced else []
        added = [await self._add(index, row, kind, served.path(namespace)) for namespace in own]
        (self._forbidden_elsewhere if any(added) else self._forbidden).append(kind)

    async def _add(self, index: ObjectIndex, row: ReferenceKind, kind: Kind, path: str) -> bool:
        """Add the objects at a path. Returns whether the user may list them."""
        try:
            async for page in self._kubernetes.list_pages(path):
                for body in page.items:
                    index.add(row, kind.api_version, body)
                self._listed += len(page.items)
                self._console.report_progress(f"listed {self._listed:,} objects of the cluster")
        except ForbiddenError:
            return False
        except Exception as error:
            if not is_unserved(error):
                raise  # otherwise the CRD was removed in between
        return True


def _is_namespace(text: str) -> bool:
    """Whether a text, which may be a tag in AWS, is the name of a namespace."""
    with suppress(ValueError):
        return bool(is_namespace(text) and text)
    return False


def _names(kinds: Iterable[Kind]) -> str:
    return ", ".join(map(str, kinds))
