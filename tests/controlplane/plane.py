"""A Kubernetes control plane of one's own: what the end-to-end tests, the demo and people at a terminal use.

It is etcd and kube-apiserver and nothing else. What a controller manager or a kubelet would do does not
happen; the README beside this file has the list.
"""

import fcntl
import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from tests.controlplane import apiserver, assets, credentials, etcd
from tests.controlplane.client import KubernetesClient, path
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.kubeconfig import Access
from tests.controlplane.processes import GuardedProcess
from tests.waiting import LIMIT, eventually

TOKEN_LIFETIME = 24 * 3600  # seconds


class KubectlError(subprocess.CalledProcessError):
    """kubectl failed; unlike its base class it says what kubectl said."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stderr}"


class ControlPlane:
    """Runs from its construction to `stop`, or to the end of a `with`.

    Without `data_dir` it lives in a temporary folder that goes with it. One that is given is kept, and a
    control plane that is started on it later goes on with what is there.
    """

    def __init__(self, *, kubernetes_version: str | None = None, data_dir: Path | None = None) -> None:
        etcd_binary = assets.find("etcd", kubernetes_version)
        self._apiserver_binary = assets.find("kube-apiserver", kubernetes_version)
        self.kubectl_path = assets.find("kubectl", kubernetes_version)
        with ExitStack() as resources:
            self._data_dir = resources.enter_context(data_folder(data_dir))
            self._reserved_port = resources.enter_context(apiserver.reserve_port())
            self._files = apiserver.Files(self._data_dir)
            credentials.ensure_signing_key(self._files.signing_key)
            self._admin_token = credentials.write_admin_token(self._files.tokens)

            self._etcd = self._launch(etcd.command(etcd_binary))
            resources.callback(self._etcd.stop)
            self._apiserver = self._launch_apiserver()
            resources.callback(self.stop_apiserver)
            self._wait_for_apiserver()

            access = self._access("admin", self._admin_token)
            self.kubeconfig = access.write(self._data_dir / "kubeconfig")
            self.client = KubernetesClient(access)
            """The administrator's, for whatever is not about kubectl itself."""
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends both processes, and removes the data if it is temporary."""
        self._resources.close()

    def check(self) -> None:
        """Raises if etcd or the API server has ended."""
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
        """Runs kubectl, as the administrator or with another kubeconfig, and without its user's settings."""
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
        """A token such as a pod of this ServiceAccount has."""
        where = f"{path('ServiceAccount', service_account, namespace)}/token"
        spec = {"expirationSeconds": TOKEN_LIFETIME}
        made = self.client.request("POST", where, {"spec": spec})
        if made is None:
            raise ControlPlaneError(f"There is no ServiceAccount {service_account} in the namespace {namespace}.")
        return str(made["status"]["token"])

    def kubeconfig_for(self, namespace: str, service_account: str) -> Path:
        """A kubeconfig file with a new token of this ServiceAccount, for its namespace."""
        token = self.token_for(namespace, service_account)
        access = self._access(f"{namespace}.{service_account}", token, namespace)
        return access.write(self._data_dir / f"kubeconfig.{namespace}.{service_account}")

    def stop_apiserver(self) -> None:
        """Until `start_apiserver` connections are refused; its port stays reserved."""
        self._apiserver.stop()

    def start_apiserver(self) -> None:
        """Starts it again, on the same port and data, and waits until it is ready."""
        if not self._apiserver.has_ended():
            raise ControlPlaneError("The API server runs already.")
        self._apiserver = self._launch_apiserver()
        self._wait_for_apiserver()

    def pause_apiserver(self) -> None:
        """Until `resume_apiserver` it takes connections, and answers none, as a server that hangs."""
        self._apiserver.pause()

    def resume_apiserver(self) -> None:
        self._apiserver.resume()

    def compact_etcd(self) -> None:
        """Makes etcd forget all history before this moment.

        That alone is not enough for a watch to meet a 410 Gone: the API server remembers recent changes
        itself. If it is stopped, and started after this, each watch from a resourceVersion older than its
        start is refused so.
        """
        etcd.compact(self._data_dir)

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
            raise ControlPlaneError(f"Another control plane uses the data folder {folder}.") from None
        yield folder
