"""etcd: its command line, and the compaction, which tests request directly.

etcd listens on Unix sockets in the data folder, so it needs no port and no other user can connect. The path of such a
socket has at most about 100 characters. Therefore it is relative to the data folder, in which etcd and the API server
run.
"""

import http.client
import json
import socket
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.controlplane.errors import ControlPlaneError

CLIENT_SOCKET = "etcd.sock"
CLIENT_URL = f"unix://{CLIENT_SOCKET}"
PEER_URL = "unix://etcd-peer.sock"


def command(binary: Path, quota: int = 0) -> list[str | Path]:
    """The command line. ``quota``: bytes that the database may have. 0: etcd's default, 2 GB."""
    return [
        binary,
        "--data-dir=etcd",
        "--unsafe-no-fsync",  # the data need not survive a power failure
        f"--listen-client-urls={CLIENT_URL}",
        f"--advertise-client-urls={CLIENT_URL}",
        f"--listen-peer-urls={PEER_URL}",
        f"--initial-advertise-peer-urls={PEER_URL}",
        f"--initial-cluster=default={PEER_URL}",
        f"--quota-backend-bytes={quota}",
        "--log-level=warn",
    ]


def compact(data_dir: Path) -> None:
    """Compact etcd. Then no earlier revision can be read or watched from etcd."""
    with closing(SocketConnection(data_dir)) as connection:
        revision = ask(connection, "kv/range", {"key": "AA==", "limit": 1})["header"]["revision"]
        ask(connection, "kv/compaction", {"revision": revision, "physical": True})


def free_space(data_dir: Path) -> None:
    """Compact and defragment etcd, and end its alarms, as its documentation describes for a full database."""
    compact(data_dir)
    with closing(SocketConnection(data_dir)) as connection:
        ask(connection, "maintenance/defragment", {})
        for alarm in ask(connection, "maintenance/alarm", {"action": "GET"}).get("alarms", ()):
            ask(connection, "maintenance/alarm", {**alarm, "action": "DEACTIVATE"})


def ask(connection: http.client.HTTPConnection, method: str, body: dict[str, Any]) -> dict[str, Any]:
    connection.request("POST", f"/v3/{method}", json.dumps(body))
    response = connection.getresponse()
    answer = json.load(response)
    if response.status != http.HTTPStatus.OK:
        raise ControlPlaneError(f"etcd refused the request {method}: {answer.get('message')}")
    return answer


class SocketConnection(http.client.HTTPConnection):
    """A connection to the socket in the data folder. The path of the folder may have any length."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._data_dir = data_dir

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with TemporaryDirectory(dir="/tmp") as short:
            link = Path(short) / "data"
            link.symlink_to(self._data_dir)
            self.sock.connect(str(link / CLIENT_SOCKET))
