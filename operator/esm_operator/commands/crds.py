"""The command ``esm-operator crds``."""

from importlib import resources

from esm_operator import terminal
from esm_operator.settings import FlagsOnly


class Crds(FlagsOnly):
    """Print the CustomResourceDefinitions as YAML, to be applied with kubectl.

    Example: esm-operator crds | kubectl apply --server-side -f -
    """

    def cli_cmd(self) -> None:
        terminal.put(resources.files("esm_operator.api").joinpath("crds.yaml").read_text("utf-8").removesuffix("\n"))
