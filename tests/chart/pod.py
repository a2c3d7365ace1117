"""The parts of a kubelet that the operator's pod needs: a pod of a Deployment runs as a process.

The pod is created in the API server, with admission, and is not bound to a node. Its container runs with the arguments
and the environment of the pod. Fields, ConfigMaps and Secrets are resolved. The container has its own mounts: the root
file system is read-only if the security context requires it, emptyDirs exist, and the token and certificate of the
ServiceAccount are in the usual folder. The token is bound to the pod, as the token of a kubelet is. The program is the
`esm-operator` of the checkout instead of the entry point of the image. All pods share the address of the machine, so
the ports of the probes and of the metrics are replaced by free ones.
"""

import base64
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.controlplane.client import KubernetesClient, path
from tests.controlplane.kubeconfig import Access
from tests.operator_process import free_port
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("esm-operator")
SECRETS = "/run/secrets/kubernetes.io/serviceaccount"
#: The path of the checkout in the container, whatever is mounted.
CHECKOUT = "/run/checkout"
_VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


def pod_of(deployment: dict[str, Any], name: str) -> dict[str, Any]:
    """The pod that a ReplicaSet would create."""
    template = deployment["spec"]["template"]
    meta = {"name": name, "namespace": deployment["metadata"]["namespace"], **template["metadata"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def can_unshare() -> bool:
    """Whether a process can have its own mounts on this machine."""
    return subprocess.run([*_unshared(), "true"], capture_output=True, check=False).returncode == 0


def _unshared() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *user]


class Pod:
    """A running pod."""

    def __init__(
        self, client: KubernetesClient, pod: dict[str, Any], process: subprocess.Popen[bytes], log: Path, port: int
    ) -> None:
        self.object = pod
        self.log = log
        self.port = port
        """In place of its container's."""
        self._client = client
        self._process = process
        (self._container,) = pod["spec"]["containers"]

    @property
    def name(self) -> str:
        return self.object["metadata"]["name"]

    def probe(self, name: str) -> int:
        """The HTTP status of a probe. 0: nobody answers."""
        action = self._container[name]["httpGet"]
        port = self._container["ports"][0]
        assert action["port"] in (port["name"], port["containerPort"])
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{action['path']}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait_until_ready(self) -> None:
        """Wait until the probes succeed, in the order of a kubelet."""
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):

            def succeeds(name: str = name) -> bool:
                assert self._process.poll() is None, f"It ended:\n{self.tail()}"
                return self.probe(name) == 200

            eventually(succeeds, lambda name=name: f"{name} succeeds:\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-8000:]

    def stop(self) -> int:
        """End the pod as a kubelet does. Returns the exit code."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            return self._process.wait(self.object["spec"]["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise
        finally:
            meta = self.object["metadata"]
            self._client.delete(f"{path('Pod', meta['name'], meta['namespace'])}?gracePeriodSeconds=0")


@contextmanager
def running(
    kubeconfig: Path, deployment: dict[str, Any], folder: Path, injected: Mapping[str, str] | None = None
) -> Generator[Pod]:
    """Run a pod of a Deployment, from its creation to its end.

    Args:
        kubeconfig: the kubeconfig of the administrator.
        deployment: the Deployment from the API server.
        folder: the folder for its log and its secrets.
        injected: additional environment variables, such as those that EKS sets for an AWS role.

    Raises:
        ApiError: the API server does not admit it.
    """
    namespace = deployment["metadata"]["namespace"]
    access = Access.read(kubeconfig)
    client = KubernetesClient(access)
    pod = client.create(pod_of(deployment, f"{deployment['metadata']['name']}-0"))
    meta = pod["metadata"]
    account = path("ServiceAccount", pod["spec"]["serviceAccountName"], namespace)
    bound_to = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    token = client.request("POST", f"{account}/token", {"spec": {"boundObjectRef": bound_to}})["status"]["token"]
    host, _, port = access.server.removeprefix("https://").rpartition(":")
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "token").write_text(token)
    (secrets / "ca.crt").write_bytes(access.ca_certificate)
    (secrets / "namespace").write_text(namespace)

    (container,) = pod["spec"]["containers"]
    environment = {
        "PATH": os.environ["PATH"],
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        **(injected or {}),
        **_environment(client, pod, container),
    }
    arguments = [
        _VARIABLE.sub(lambda match: environment.get(match[1], match[0]), argument) for argument in container["args"]
    ]
    own_port = free_port("")
    for flag, port, free in zip(("probe", "metrics"), container["ports"], (own_port, free_port("")), strict=True):
        given = f"--{flag}-address=:{port['containerPort']}"
        arguments[arguments.index(given)] = f"--{flag}-address=:{free}"
    log = folder / "pod.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_unshared(), "bash", "-euc", _script(pod, container, secrets, [str(PROGRAM), *arguments])],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Pod(client, pod, process, log, own_port)
    with ExitStack() as exits:
        exits.callback(running.stop)
        yield running


def _script(pod: dict[str, Any], container: dict[str, Any], secrets: Path, command: list[str]) -> str:
    """Make the mounts, and replace this process by the program."""
    empty = {volume["name"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume}
    lines = [
        "mount --make-rprivate /",
        "mount -t tmpfs none /run",
        f"mkdir -p {SECRETS}",
        f"cp {shlex.quote(str(secrets))}/* {SECRETS}/",
        f"mkdir {CHECKOUT}",
        f"mount --rbind {shlex.quote(str(ROOT))} {CHECKOUT}",
        "mount -o remount,ro /run",
    ]
    if container["securityContext"]["readOnlyRootFilesystem"]:
        lines.append("mount -o remount,bind,ro /")
    for mount in container["volumeMounts"]:
        if mount["name"] in empty:
            lines.append(f"mount -t tmpfs none {shlex.quote(mount['mountPath'])}")
            if ROOT.is_relative_to(mount["mountPath"]):  # the program must still be found
                checkout = shlex.quote(str(ROOT))
                lines += [f"mkdir -p {checkout}", f"mount --rbind {CHECKOUT} {checkout}"]
    return "\n".join([*lines, f"exec {shlex.join(command)}"])


def _environment(client: KubernetesClient, pod: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
    namespace = pod["metadata"]["namespace"]

    def data(kind: str, name: str) -> dict[str, str]:
        found = client.get(path(kind, name, namespace))
        assert found is not None, f"{kind} {name} is missing"
        if kind == "Secret":
            return {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}
        return found.get("data", {})

    result: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        for key, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
            if key in source:
                result |= data(kind, source[key]["name"])
    for variable in container.get("env", ()):
        chosen = variable.get("valueFrom", {})
        if "fieldRef" in chosen:
            value: Any = pod
            for part in chosen["fieldRef"]["fieldPath"].split("."):
                value = value[part]
            result[variable["name"]] = value
        elif "secretKeyRef" in chosen:
            result[variable["name"]] = data("Secret", chosen["secretKeyRef"]["name"])[chosen["secretKeyRef"]["key"]]
        elif "configMapKeyRef" in chosen:
            wanted = chosen["configMapKeyRef"]
            result[variable["name"]] = data("ConfigMap", wanted["name"])[wanted["key"]]
        else:
            result[variable["name"]] = variable.get("value", "")
    return result
