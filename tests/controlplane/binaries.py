"""The programs of the control plane, the tools of the tests, and their Go modules.

To add a program, add a line here. If its requirements conflict with those of other programs, add a folder in `go/` with
a go.mod of its own.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """A Go module that is pinned by `go/<name>/go.mod`."""

    name: str
    path: str = ""
    """The Go path of the module. Empty: the sources of the program are in the folder."""
    version_packages: tuple[str, ...] = ()
    """Packages whose version variables the linker sets. Otherwise the program reports the version v0.0.0."""

    @property
    def folder(self) -> Path:
        return Path(__file__).with_name("go") / self.name


@dataclass(frozen=True)
class Binary:
    name: str
    module: Module
    package: str
    minutes: int
    """The duration of a build on two cores, for the announcement."""
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

#: Only files and static targets as service discovery. The others need the clients of a dozen clouds.
_LEAN = ("remove_all_sd",)

BINARIES = {
    binary.name: binary
    for binary in (
        Binary("etcd", ETCD, "go.etcd.io/etcd/server/v3", minutes=2),
        Binary("kube-apiserver", KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver", minutes=8),
        Binary("kubectl", KUBERNETES, "k8s.io/kubernetes/cmd/kubectl", minutes=2),
    )
}
"""The programs of the control plane. KUBEBUILDER_ASSETS and the archives of envtest have them."""

TOOLS = {
    binary.name: binary
    for binary in (
        Binary("helm", HELM, "helm.sh/helm/v4/cmd/helm", minutes=5),
        Binary("promtool", PROMETHEUS, "github.com/prometheus/prometheus/cmd/promtool", minutes=4, tags=_LEAN),
        Binary("prometheus", PROMETHEUS, "github.com/prometheus/prometheus/cmd/prometheus", minutes=1, tags=_LEAN),
        Binary("verdicts", VERDICTS, ".", minutes=1),
    )
}
"""The tools of the tests of the chart, the metrics and the health checks."""
