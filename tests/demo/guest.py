"""The demo as a guest in somebody's cluster, reached by a context of their kubeconfig.

A guest touches nothing that was there before: it stays out if there are CRDs of this operator already (an operator
may be at work, and would take the demo's resources for its own) or a namespace of the demo's name. What it brings
has a label, and goes at the end; what an earlier demo left that was killed is known by that label, and goes first.
The operator runs on this machine with a token of a ServiceAccount, and works in the demo's namespace only; the
person's own credentials are not copied anywhere.
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
    """In the cluster of this context, and gone from it at the end."""
    with TemporaryDirectory(prefix="esm-operator-demo-") as temporary:
        folder = Path(temporary)
        kubectl = Kubectl(_kubectl_path(), _overlay(context, folder))
        explain(f"The demo is a guest in the cluster of the context {context}, in the namespace {NAME}.")
        _check_admission(kubectl, context)
        try:
            _install(kubectl)
            yield Cluster(
                name=f"the cluster of the context {context}",
                kubectl=kubectl,
                operator_kubeconfig=_operator_kubeconfig(kubectl, folder),
                operator_arguments=(f"--namespaces={NAME}", f"--lease-namespace={NAME}"),
            )
        finally:
            explain("What the demo brought into the cluster goes: resources, namespace, CRDs and role.")
            try:
                _remove(kubectl)
            except DemoError as error:
                problem(f"Not all of it could be removed; it has the label {SELECTOR}. {error}")


def _kubectl_path() -> Path:
    found = shutil.which("kubectl")
    return Path(found) if found else assets.find("kubectl")


def _overlay(context: str, folder: Path) -> str:
    """A kubeconfig file in front of the person's own ones, that only says: this context, the demo's namespace."""
    own = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    view = Kubectl(_kubectl_path(), own)("config", "view", "--output=json")
    contexts = {one["name"]: one["context"] for one in json.loads(view).get("contexts") or ()}
    if context not in contexts:
        known = ", ".join(sorted(contexts)) or "no contexts at all"
        raise DemoError(f"DEMO_CONTEXT is {context}, and your kubeconfig has no such context. It has {known}.")
    overlay = folder / "kubeconfig"
    _write_kubeconfig(overlay, contexts=[{"name": NAME, "context": contexts[context] | {"namespace": NAME}}])
    absolute = [str(Path(path).absolute()) for path in own.split(os.pathsep) if path]
    return os.pathsep.join([str(overlay), *absolute])


def _check_admission(kubectl: Kubectl, context: str) -> None:
    crds = [one for one in kubectl.objects("customresourcedefinitions") if one["metadata"]["name"] in KINDS]
    if not all(_is_ours(crd) for crd in crds):
        raise DemoError(
            f"The cluster of the context {context} has CRDs of this operator already. The demo leaves them alone, and "
            "an operator that works there would take the demo's resources for its own. Use another cluster, or "
            "`make demo` without DEMO_CONTEXT."
        )
    namespaces = [one for one in kubectl.objects("namespaces") if one["metadata"]["name"] == NAME]
    if not all(_is_ours(namespace) for namespace in namespaces):
        raise DemoError(f"The cluster of the context {context} has a namespace {NAME} that is not the demo's.")
    if crds or namespaces:
        output("What an earlier demo left here is removed first.")
        _remove(kubectl)
        if any(one["metadata"]["name"] == NAME for one in kubectl.objects("namespaces")):
            kubectl("wait", "--for=delete", f"namespace/{NAME}", "--timeout=200s")


def _is_ours(found: dict[str, Any]) -> bool:
    name, value = MARK
    return (found["metadata"].get("labels") or {}).get(name) == value


def _install(kubectl: Kubectl) -> None:
    documents = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*_*.yaml"))] + role.objects(NAME)
    for document in documents:
        document["metadata"].setdefault("labels", {}).update([MARK])
    kubectl("create", "--filename=-", input=yaml.safe_dump_all(documents))
    wait_until_served(kubectl)


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
    """All that has the label. Nobody waits for the mappings' finalizers: the AWS server they are for goes, too."""
    crds = kubectl.objects("customresourcedefinitions", f"--selector={SELECTOR}")
    if any(crd["metadata"]["name"] == KINDS[0] for crd in crds):
        for resource in kubectl.objects(KINDS[0], f"--namespace={NAME}"):
            name = resource["metadata"]["name"]
            kubectl("delete", KINDS[0], name, f"--namespace={NAME}", "--wait=false", "--ignore-not-found")
            kubectl(
                *("patch", KINDS[0], name, f"--namespace={NAME}", "--type=merge"),
                *("--patch", json.dumps({"metadata": {"finalizers": None}})),
                check=False,  # it is gone without that, if nothing held it
            )
    kubectl("delete", "namespaces", f"--selector={SELECTOR}", "--wait=false")
    kubectl("delete", CLUSTER_WIDE, f"--selector={SELECTOR}", "--timeout=200s")
