"""The demo in an existing cluster, which a context of the person's kubeconfig names.

The demo changes no object that exists. It does not start if the cluster has CRDs of this operator, because an operator
may run there and would reconcile the resources of the demo, or if the demo's namespace exists. If the cluster has CRDs
of ACK, the demo leaves out the step that needs them. All objects of the demo have a label and are removed at the end.
Objects that an earlier demo left when it was killed are removed first.

The operator runs on this machine with a token of a ServiceAccount, and only in the namespace of the demo. The person's
credentials are not copied.
"""

import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests import role
from tests.controlplane import assets
from tests.demo import ack
from tests.demo.cluster import CRDS, KINDS, Cluster, Kubectl, wait_until_served
from tests.demo.errors import DemoError
from tests.demo.terminal import explain, output, problem

NAME = "esm-demo"
MARK = ("app.kubernetes.io/managed-by", "esm-operator-demo")
SELECTOR = "=".join(MARK)
CLUSTER_WIDE = "clusterrolebindings,clusterroles,customresourcedefinitions"
TOKEN_LIFETIME = "24h"


@contextmanager
def guest(context: str) -> Generator[Cluster]:
    """The cluster of a context. All objects of the demo are removed at the end."""
    with TemporaryDirectory(prefix="esm-operator-demo-") as temporary:
        folder = Path(temporary)
        kubectl = Kubectl(_kubectl_path(), _overlay(context, folder))
        explain(f"Use the cluster of the context {context}. The resources of the demo are in its namespace {NAME}.")
        _check_admission(kubectl, context)
        try:
            demo_ack = _install(kubectl)
            yield Cluster(
                name=f"the cluster of the context {context}",
                kubectl=kubectl,
                operator_kubeconfig=_operator_kubeconfig(kubectl, folder),
                operator_arguments=(f"--namespaces={NAME}", f"--lease-namespace={NAME}"),
                demo_ack=demo_ack,
            )
        finally:
            explain("Remove everything that the demo created in the cluster: resources, namespace, CRDs and role.")
            try:
                _remove(kubectl)
            except DemoError as error:
                problem(f"Some objects could not be removed. They have the label {SELECTOR}. {error}")


def _kubectl_path() -> Path:
    found = shutil.which("kubectl")
    return Path(found) if found else assets.find("kubectl")


def _overlay(context: str, folder: Path) -> str:
    """Kubeconfig files: one that selects the context and the demo's namespace, then those of the person."""
    own = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    view = Kubectl(_kubectl_path(), own)("config", "view", "--output=json")
    contexts = {one["name"]: one["context"] for one in json.loads(view).get("contexts") or ()}
    if context not in contexts:
        known = ", ".join(sorted(contexts)) or "no contexts"
        raise DemoError(f"DEMO_CONTEXT is {context}, and your kubeconfig has no such context. It has {known}.")
    overlay = folder / "kubeconfig"
    _write_kubeconfig(overlay, contexts=[{"name": NAME, "context": contexts[context] | {"namespace": NAME}}])
    absolute = [str(Path(path).absolute()) for path in own.split(os.pathsep) if path]
    return os.pathsep.join([str(overlay), *absolute])


def _check_admission(kubectl: Kubectl, context: str) -> None:
    crds = kubectl.objects("customresourcedefinitions")
    if any(one["metadata"]["name"] in KINDS and not _is_ours(one) for one in crds):
        raise DemoError(
            f"The cluster of the context {context} has CRDs of this operator already. An operator may run there, and "
            "would reconcile the resources of the demo. Use another cluster, or run `make demo` without DEMO_CONTEXT."
        )
    namespaces = [one for one in kubectl.objects("namespaces") if one["metadata"]["name"] == NAME]
    if not all(_is_ours(namespace) for namespace in namespaces):
        raise DemoError(
            f"The cluster of the context {context} has a namespace {NAME} that the demo did not create. Delete it, or "
            "use another cluster."
        )
    if namespaces or any(_is_ours(crd) for crd in crds):
        output("Remove the objects that an earlier demo left here.")
        _remove(kubectl)
        if any(one["metadata"]["name"] == NAME for one in kubectl.objects("namespaces")):
            kubectl("wait", "--for=delete", f"namespace/{NAME}", "--timeout=600s")


def _is_ours(found: dict[str, Any]) -> bool:
    name, value = MARK
    return (found["metadata"].get("labels") or {}).get(name) == value


def _install(kubectl: Kubectl) -> bool:
    """Create the objects of the demo. Returns whether the demo's CRDs of ACK are among them."""
    documents = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*_*.yaml"))] + role.objects(NAME)
    found = {one["metadata"]["name"] for one in kubectl.objects("customresourcedefinitions")}
    demo_ack = found.isdisjoint(ack.CRD_NAMES)
    if demo_ack:
        documents += ack.objects(NAME)
    for document in documents:
        document["metadata"].setdefault("labels", {}).update([MARK])
    kubectl("create", "--filename=-", input=yaml.safe_dump_all(documents))
    wait_until_served(kubectl, (*KINDS, *ack.CRD_NAMES) if demo_ack else KINDS)
    return demo_ack


def _operator_kubeconfig(kubectl: Kubectl, folder: Path) -> Path:
    view = json.loads(kubectl("config", "view", "--minify", "--flatten", "--raw", "--output=json"))
    token = kubectl("create", "token", NAME, f"--namespace={NAME}", f"--duration={TOKEN_LIFETIME}").strip()
    path = folder / "kubeconfig.operator"
    _write_kubeconfig(
        path,
        clusters=[{"name": NAME, "cluster": view["clusters"][0]["cluster"]}],
        users=[{"name": NAME, "user": {"token": token}}],
        contexts=[{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": NAME}}],
    )
    return path


def _write_kubeconfig(path: Path, **parts: list[dict[str, Any]]) -> None:
    content = {"apiVersion": "v1", "kind": "Config", "current-context": NAME, **parts}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)


def _remove(kubectl: Kubectl) -> None:
    """Remove all objects with the label. Finalizers are removed too, because the AWS server of the demo ends."""
    crds = kubectl.objects("customresourcedefinitions", f"--selector={SELECTOR}")
    if any(crd["metadata"]["name"] == KINDS[0] for crd in crds):
        for resource in kubectl.objects(KINDS[0], f"--namespace={NAME}"):
            name = resource["metadata"]["name"]
            kubectl("delete", KINDS[0], name, f"--namespace={NAME}", "--wait=false", "--ignore-not-found")
            kubectl(
                *("patch", KINDS[0], name, f"--namespace={NAME}", "--type=merge"),
                *("--patch", json.dumps({"metadata": {"finalizers": None}})),
                check=False,  # without a finalizer, the object no longer exists
            )
    kubectl("delete", "namespaces", f"--selector={SELECTOR}", "--wait=false")
    kubectl("delete", CLUSTER_WIDE, f"--selector={SELECTOR}", "--timeout=600s")
