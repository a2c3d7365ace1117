"""The programs that a control plane is made of and those that tests use beside it, and their Go modules.

A program that is to be built too is one more line here, and if its requirements clash with the others' a
folder of its own in `go/` with a go.mod that pins it.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """A Go module that is pinned by `go/<name>/go.mod`."""

    name: str
    path: str = ""
    """What is built; empty: a program of our own, whose sources are in the folder."""
    version_packages: tuple[str, ...] = ()
    """Packages whose version variables the linker must set, or the program calls itself v0.0.0."""

    @property
    def folder(self) -> Path:
        return Path(__file__).with_name("go") / self.name


@dataclass(frozen=True)
class Binary:
    name: str
    module: Module
    package: str
    minutes: int
    """What a build takes on two cores, to tell people what to expect."""
    tags: tuple[str, ...] = ()
    """Build tags."""


KUBERNETES = Module(
    name="kubernetes",
    path="k8s.io/kubernetes",
    version_packages=("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"),
)
ETCD = Module(name="etcd", path="go.etcd.io/etcd/server/v3")
HELM = Module(name="helm", path="helm.sh/helm/v4")
PROMETHEUS = Module(name="prometheus", path="github.com/prometheus/prometheus")
VERDICTS = Module(name="verdicts")

#: No service discovery but files and static targets: it would bring the clients of a dozen clouds.
_LEAN = ("remove_all_sd",)

BINARIES = {
    binary.name: binary
    for binary in (
        Binary("etcd", ETCD, "go.etcd.io/etcd/server/v3", minutes=1),
        Binary("kube-apiserver", KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver", minutes=5),
        Binary("kubectl", KUBERNETES, "k8s.io/kubernetes/cmd/kubectl", minutes=1),
    )
}
"""The control plane: what KUBEBUILDER_ASSETS must hold."""

TOOLS = {
    binary.name: binary
    for binary in (
        Binary("helm", HELM, "helm.sh/helm/v4/cmd/helm", minutes=5),
        Binary("promtool", PROMETHEUS, "github.com/prometheus/prometheus/cmd/promtool", minutes=4, tags=_LEAN),
        Binary("prometheus", PROMETHEUS, "github.com/prometheus/prometheus/cmd/prometheus", minutes=1, tags=_LEAN),
        Binary("verdicts", VERDICTS, ".", minutes=1),
    )
}
"""What tests of the chart, of the metrics and of the health checks use beside it."""
