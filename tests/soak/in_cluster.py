"""An operator with the token file of a ServiceAccount, as in a pod.

A test starts ``main`` of this module instead of the operator's own. It sets the paths of the files, which are constants
of the kubernetes package, and the time after which the package reads the token again, which is a minute.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from tests import forked_operator
from tests.controlplane.kubeconfig import Access

#: The entry point that tests start instead of the operator's own.
MAIN = "tests.soak.in_cluster:main"
#: The packages for synchronous and asynchronous requests. kopf uses the first one.
_MODULES = ("kubernetes.config.incluster_config", "kubernetes.aio.config.incluster_config")
_FOLDER, _PERIOD = "SERVICE_ACCOUNT", "TOKEN_IS_READ_EVERY"


class ServiceAccountFiles:
    """The files that the kubelet mounts into a pod."""

    def __init__(self, folder: Path, access: Access, address: tuple[str, int], *, reading: float) -> None:
        """
        Args:
            folder: an empty folder.
            access: the API server, and the first token.
            address: host and port through which the operator reaches the API server.
            reading: seconds after which the kubernetes package reads the token again.
        """
        self._token = folder / "token"
        (folder / "ca.crt").write_bytes(access.ca_certificate)
        self.rotate(access.token)
        self.environment: Mapping[str, str] = {
            _FOLDER: str(folder),
            _PERIOD: str(reading),
            "KUBERNETES_SERVICE_HOST": address[0],
            "KUBERNETES_SERVICE_PORT": str(address[1]),
        }

    def token(self) -> str:
        """The present token."""
        return self._token.read_text()

    def rotate(self, token: str) -> None:
        """Replace the token in one step, as the kubelet does."""
        new = self._token.with_suffix(".new")
        new.write_text(token)
        new.rename(self._token)


def main() -> None:
    """Run the operator."""
    folder, period = Path(os.environ[_FOLDER]), timedelta(seconds=float(os.environ[_PERIOD]))
    for name in _MODULES:
        module: Any = import_module(name)
        module.SERVICE_TOKEN_FILENAME, module.SERVICE_CERT_FILENAME = str(folder / "token"), str(folder / "ca.crt")
        _read_every(module.InClusterConfigLoader, period)
    forked_operator.main()


def _read_every(loader: Any, period: timedelta) -> None:
    init = loader.__init__

    @wraps(init)
    def with_period(self: Any, *arguments: Any, **more: Any) -> None:
        init(self, *arguments, **more)
        self._token_refresh_period = period

    loader.__init__ = with_period
