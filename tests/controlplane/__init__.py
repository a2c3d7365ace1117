"""etcd and kube-apiserver for tests, the demo and manual use: `with ControlPlane() as plane: ...`."""

from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.plane import ControlPlane, KubectlError

__all__ = ["ControlPlane", "ControlPlaneError", "KubectlError"]
