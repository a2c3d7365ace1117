"""The exceptions of this package. Their messages are for the person at the terminal."""


class ControlPlaneError(Exception):
    """The control plane can't be built, started or kept running. The message has the reason and the remedy."""


class BuildError(ControlPlaneError):
    """A program can't be built on this machine. The message also names the alternative to a build."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message}\nInstead of a build, KUBEBUILDER_ASSETS can name a folder with etcd, kube-apiserver and "
            "kubectl. `setup-envtest use` of controller-runtime downloads such a folder."
        )
