"""The exceptions of this package: their messages are written for the person at the terminal."""


class ControlPlaneError(Exception):
    """The control plane can't be built, started or kept up; the message says why and what to do."""


class BuildError(ControlPlaneError):
    """The programs can't be built here; the message names the other way to have them."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message}\nInstead of a build, KUBEBUILDER_ASSETS can name a folder that has etcd, "
            "kube-apiserver and kubectl, such as the one that envtest's setup tool downloads."
        )
