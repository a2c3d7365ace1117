"""What an operator calls itself before the API server, after its lease, so that several in a cluster are told apart.

All replicas of one operator share a lease, and so these names. Given to who writes by ``term.py``.
"""

import hashlib

from esm_operator.api.resource import GROUP

IN_USE = f"{GROUP}/in-use"
#: What the field managers of all operators begin with.
MANAGER = "esm-operator:"
#: What the name of a finalizer may have behind the slash (Kubernetes, qualified names).
_LONGEST_NAME = 63
#: What the name of a field manager may have (Kubernetes, server-side apply).
_LONGEST_MANAGER = 128


def finalizer_name(*, whole: bool, lease_namespace: str, lease_name: str) -> str:
    """The finalizer of one operator on a ProviderConfig.

    Operators that share a cluster, by namespaces or labels, don't see each other's resources, so each has its own,
    called after its lease. One that works on all resources keeps its finalizer whatever its lease is called.

    Args:
        whole: whether it works on all resources of the cluster.
        lease_namespace: the namespace of its lease.
        lease_name: the name of its lease.
    """
    if whole:
        return IN_USE
    return f"{GROUP}/{_shortened(f'in-use.{lease_namespace}.{lease_name}', _LONGEST_NAME)}"


def manager_name(lease_namespace: str, lease_name: str) -> str:
    """By which name the API server notes in ``managedFields`` what one operator writes.

    Args:
        lease_namespace: the namespace of its lease.
        lease_name: the name of its lease.
    """
    return _shortened(f"{MANAGER}{lease_namespace}/{lease_name}", _LONGEST_MANAGER)


def _shortened(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: longest - len(digest) - 1].rstrip('.-')}-{digest}"
