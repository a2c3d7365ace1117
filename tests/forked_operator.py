"""The entry point of a forked operator. See :mod:`tests.fork_server`.

The kubernetes package reads KUBECONFIG when it is imported, and the fork server has imported it already. So each
operator sets its own KUBECONFIG in that package before it starts.
"""

import os
from importlib import import_module

#: The modules that have read KUBECONFIG.
MODULES = ("kubernetes.config.kube_config", "kubernetes.aio.config.kube_config")
#: The entry point, as ``module:function``.
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
