"""etcd and kube-apiserver as processes, for tests, the demo and people: `with ControlPlane() as plane: ...`."""

from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.plane import ControlPlane, KubectlError

__all__ = ["ControlPlane", "ControlPlaneError", "KubectlError"]
