"""A Kubernetes control plane for the end-to-end tests, the demo and people at a terminal.

It is etcd and kube-apiserver, without a controller manager and without a kubelet. README.md lists the differences from
a cluster.
"""

import fcntl
import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from tests.controlplane import apiserver, assets, cpu_limit, credentials, etcd
from tests.controlplane.client import KubernetesClient, path
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.kubeconfig import Access
from tests.controlplane.processes import GuardedProcess
from tests.waiting import LIMIT, eventually

TOKEN_LIFETIME = 24 * 3600  # seconds


class KubectlError(subprocess.CalledProcessError):
    """kubectl failed. The text includes the message of kubectl."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stderr}"


class ControlPlane:
    """Runs from its construction to `stop`, or to the end of a `with`.

    Without `data_dir`, the data is in a temporary folder, which is removed at the end. A given folder remains, and a
    later control plane with this folder continues with its data.
    """

    def __init__(
        self, *, kubernetes_version: str | None = None, data_dir: Path | None = None, etcd_quota: int = 0
    ) -> None:
        """
        Args:
            kubernetes_version: None: the usual one.
            data_dir: None: a temporary folder.
            etcd_quota: bytes that the database of etcd may have. 0: etcd's default, 2 GB.
        """
        etcd_binary, self._apiserver_binary, self.kubectl_path = assets.find_all(
            ["etcd", "kube-apiserver", "kubectl"], kubernetes_version
        )
        with ExitStack() as resources:
            self._data_dir = resources.enter_context(data_folder(data_dir))
            self._reserved_port = resources.enter_context(apiserver.reserve_port())
            self._files = apiserver.Files(self._data_dir)
            credentials.ensure_signing_key(self._files.signing_key)
            self._admin_token = credentials.write_admin_token(self._files.tokens)

            self._etcd = self._launch(etcd.command(etcd_binary, etcd_quota))
            resources.callback(self._etcd.stop)
            self._apiserver = self._launch_apiserver()
            resources.callback(self.stop_apiserver)
            self._wait_for_apiserver()

            access = self._access("admin", self._admin_token)
            self.kubeconfig = access.write(self._data_dir / "kubeconfig")
            self.client = KubernetesClient(access)
            """The client of the administrator."""
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End both processes, and remove the data if it is temporary."""
        self._resources.close()

    def check(self) -> None:
        """Raise ControlPlaneError if etcd or the API server has ended."""
        self._etcd.check()
        self._apiserver.check()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the API server."""
        return self._reserved_port.getsockname()

    def kubectl(
        self,
        *arguments: str | Path,
        input: str | None = None,
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = 2 * LIMIT,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator, or with another kubeconfig, and without the settings of the person."""
        environment = os.environ | {
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "KUBECACHEDIR": str(self._data_dir / "kubectl-cache"),
            "KUBERC": "off",
        }
        command = [self.kubectl_path, *arguments]
        done = subprocess.run(
            command,
            env=environment,
            input=input,
            timeout=timeout,
            text=True,
            capture_output=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise KubectlError(done.returncode, command, done.stdout, done.stderr)
        return done

    def token_for(self, namespace: str, service_account: str) -> str:
        """A new token of a ServiceAccount, as in a pod."""
        where = f"{path('ServiceAccount', service_account, namespace)}/token"
        spec = {"expirationSeconds": TOKEN_LIFETIME}
        made = self.client.request("POST", where, {"spec": spec})
        if made is None:
            raise ControlPlaneError(f"The namespace {namespace} has no ServiceAccount {service_account}.")
        return str(made["status"]["token"])

    def kubeconfig_for(self, namespace: str, service_account: str) -> Path:
        """A kubeconfig file with a new token of a ServiceAccount, for its namespace."""
        token = self.token_for(namespace, service_account)
        access = self._access(f"{namespace}.{service_account}", token, namespace)
        return access.write(self._data_dir / f"kubeconfig.{namespace}.{service_account}")

    def stop_apiserver(self) -> None:
        """Stop the API server. Connections are refused until `start_apiserver`. The port remains reserved."""
        self._apiserver.stop()

    def start_apiserver(self) -> None:
        """Start the API server again, with the same port and data, and wait until it is ready."""
        if not self._apiserver.has_ended():
            raise ControlPlaneError("The API server is running already.")
        self._apiserver = self._launch_apiserver()
        self._wait_for_apiserver()

    def pause_apiserver(self) -> None:
        """Pause the API server. Until `resume_apiserver`, it takes connections and does not answer."""
        self._apiserver.pause()

    def resume_apiserver(self) -> None:
        self._apiserver.resume()

    def starve_apiserver(self, cores: float) -> AbstractContextManager[None]:
        """Limit the API server to a share of one core, such as 0.1, within a block. Do not restart it meanwhile."""
        return cpu_limit.limited(self._apiserver.pid, cores)

    def compact_etcd(self) -> None:
        """Compact etcd.

        A watch still gets recent changes, because the API server has a cache of them. Stop the API server, compact, and
        start it: then each watch from an older resourceVersion gets 410 Gone.
        """
        etcd.compact(self._data_dir)

    def free_etcd(self) -> None:
        """Make room in a full etcd, as its administrator does. Delete something before."""
        etcd.free_space(self._data_dir)

    def _access(self, user: str, token: str, namespace: str = "default") -> Access:
        ca_certificate = self._files.ca_certificate.read_bytes()
        host, port = self.address
        return Access(f"https://{host}:{port}", ca_certificate, user, token, namespace)

    def _launch_apiserver(self) -> GuardedProcess:
        return self._launch(apiserver.command(self._apiserver_binary, self.address, etcd.CLIENT_URL, self._files))

    def _launch(self, command: Sequence[str | Path]) -> GuardedProcess:
        log = self._data_dir / f"{Path(command[0]).name}.log"
        return GuardedProcess(command, log=log, cwd=self._data_dir)

    def _wait_for_apiserver(self) -> None:
        def is_ready() -> bool:
            self.check()
            return apiserver.is_ready(self.address, self._files, self._admin_token)

        eventually(
            is_ready,
            lambda: f"the API server is ready. {self._apiserver.log_tail()}",
            every=0.05,
            error=ControlPlaneError,
        )


@contextmanager
def data_folder(given: Path | None) -> Generator[Path]:
    if given is None:
        with TemporaryDirectory(prefix="esm-operator-control-plane-") as temporary:
            yield Path(temporary)
        return
    folder = given.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "in-use.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ControlPlaneError(f"Another control plane is using the data folder {folder}.") from None
        yield folder
