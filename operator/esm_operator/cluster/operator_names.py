"""The names of one operator at the API server: its field manager and its finalizer, both made from those of its lease.

All replicas of an operator share a lease, and so these names. Operators of other leases have others.
"""

import hashlib

from esm_operator.api.resource import GROUP

IN_USE = f"{GROUP}/in-use"
#: The prefix of the field managers of all operators.
MANAGER = "esm-operator:"
#: The most characters of a finalizer behind the slash, and of a field manager (limits of Kubernetes).
_LONGEST_NAME, _LONGEST_MANAGER = 63, 128


def finalizer_name(*, whole: bool, lease_namespace: str, lease_name: str) -> str:
    """The finalizer of one operator on a ProviderConfig.

    Operators that share a cluster, by namespaces or labels, do not know each other's resources, so each has its own.
    One that manages the whole cluster keeps its finalizer when its lease is renamed.
    """
    return IN_USE if whole else f"{GROUP}/{_shortened(f'in-use.{lease_namespace}.{lease_name}', _LONGEST_NAME)}"


def manager_name(lease_namespace: str, lease_name: str) -> str:
    """The name under which the API server records in ``managedFields`` what one operator writes."""
    return _shortened(f"{MANAGER}{lease_namespace}/{lease_name}", _LONGEST_MANAGER)


def _shortened(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: longest - len(digest) - 1].rstrip('.-')}-{digest}"
