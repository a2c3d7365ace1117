"""A control plane on this machine, which ends with the demo."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from tests import role
from tests.bed import install
from tests.controlplane import ControlPlane
from tests.demo import ack
from tests.demo.cluster import Cluster, Kubectl, wait_until_served
from tests.demo.terminal import explain


@dataclass(frozen=True)
class OwnCluster(Cluster):
    plane: ControlPlane | None = None

    def check(self) -> None:
        if self.plane is not None:
            self.plane.check()


@contextmanager
def own_cluster() -> Generator[Cluster]:
    """A control plane with the CRDs and roles of the operator, and CRDs of ACK. All data is removed at the end."""
    explain("Start a Kubernetes control plane on this machine: etcd and kube-apiserver.")
    with ControlPlane() as plane:
        kubectl = Kubectl(plane.kubectl_path, str(plane.kubeconfig))
        install(plane)
        plane.client.install(*ack.objects(role.NAME))
        wait_until_served(kubectl, ack.CRD_NAMES)
        yield OwnCluster(
            name="the control plane",
            kubectl=kubectl,
            operator_kubeconfig=plane.kubeconfig_for(role.NAME, role.NAME),
            plane=plane,
        )
