"""What a forked operator runs, see :mod:`tests.fork_server`.

The kubernetes package reads KUBECONFIG when it is imported, and the fork server has imported it for operators with any
kubeconfig. So each of them has to set the place anew before it goes on.
"""

import os
from importlib import import_module

#: The modules that have read it.
MODULES = ("kubernetes.config.kube_config", "kubernetes.aio.config.kube_config")
#: As ``module:function``.
MAIN = f"{__name__}:main"


def use_kubeconfig() -> None:
    """Let the kubernetes package use the KUBECONFIG of this process."""
    for name in MODULES:
        vars(import_module(name))["KUBE_CONFIG_DEFAULT_LOCATION"] = os.environ["KUBECONFIG"]


def main() -> None:
    """Run the operator."""
    use_kubeconfig()
    from esm_operator import cli

    cli.main()
