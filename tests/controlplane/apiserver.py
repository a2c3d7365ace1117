"""kube-apiserver: its command line, and whether it is ready.

Its defaults are kept wherever they work without the rest of a cluster, so that what the tests see, admission
plugins and flow control included, is what a cluster does.
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
    """What it reads and writes in the data folder."""

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
        """The server's certificate, followed by that of the authority that it made up to sign it."""
        return self.certificates / "apiserver.crt"


def reserve_port() -> socket.socket:
    """A socket that keeps a free port for the API server, which binds to it too (--permit-port-sharing).

    So nobody else gets the port, neither before the start nor while the server is stopped for a test.
    Connections are refused while only this socket is there, as it doesn't listen.
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
        f"--cert-dir={files.certificates}",  # it makes its own certificate there
        # The address that pods would use. A loopback address is allowed only without its Endpoints object.
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
    """Whether it says so, and the namespaces of every cluster, which come a moment later, are there."""
    paths = ("/readyz", *(f"/api/v1/namespaces/{namespace}" for namespace in NAMESPACES))
    try:
        context = ssl.create_default_context(cafile=files.ca_certificate)
        with closing(http.client.HTTPSConnection(*address, timeout=5, context=context)) as connection:
            return all(status(connection, path, token) == http.HTTPStatus.OK for path in paths)
    except (OSError, http.client.HTTPException):  # no certificate yet, or nobody listens, or it is just going
        return False


def status(connection: http.client.HTTPConnection, path: str, token: str) -> int:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    response.read()
    return response.status
