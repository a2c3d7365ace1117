"""kube-apiserver: its command line, and the check that it is ready.

It keeps all defaults that work without the rest of a cluster, such as admission plugins and flow control, so that tests
see the behaviour of a cluster.
"""

import http.client
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

NAMESPACES = ("default", "kube-system")


@dataclass(frozen=True)
class Files:
    """The files of the API server in the data folder."""

    folder: Path

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    @property
    def signing_key(self) -> Path:
        return self.folder / "service-account.key"

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def ca_certificate(self) -> Path:
        """The certificate of the server, and then that of its own certificate authority."""
        return self.certificates / "apiserver.crt"


def reserve_port() -> socket.socket:
    """A socket that reserves a free port. The API server binds to the same port (--permit-port-sharing).

    No other process gets the port before the API server starts, or while a test has stopped it. This socket does not
    listen, so connections are refused meanwhile.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def command(binary: Path, address: tuple[str, int], etcd_url: str, files: Files) -> list[str | Path]:
    host, port = address
    return [
        binary,
        f"--etcd-servers={etcd_url}",
        f"--bind-address={host}",
        f"--secure-port={port}",
        "--permit-port-sharing",
        f"--cert-dir={files.certificates}",  # the API server makes its certificate there
        # The address for pods. It can be a loopback address only without an Endpoints object.
        f"--advertise-address={host}",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        f"--token-auth-file={files.tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files.signing_key}",
        f"--service-account-signing-key-file={files.signing_key}",
        "--profiling=false",
    ]


def is_ready(address: tuple[str, int], files: Files, token: str) -> bool:
    """Whether /readyz succeeds, and the namespaces that the API server creates after its start exist."""
    paths = ("/readyz", *(f"/api/v1/namespaces/{namespace}" for namespace in NAMESPACES))
    try:
        context = ssl.create_default_context(cafile=files.ca_certificate)
        with closing(http.client.HTTPSConnection(*address, timeout=5, context=context)) as connection:
            return all(status(connection, path, token) == http.HTTPStatus.OK for path in paths)
    except (OSError, http.client.HTTPException):  # no certificate yet, or the API server starts or stops
        return False


def status(connection: http.client.HTTPConnection, path: str, token: str) -> int:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    response.read()
    return response.status
