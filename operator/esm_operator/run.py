"""The command ``esm-operator run``."""

import asyncio

from kubernetes.aio.config import ConfigException

from esm_operator import kopf_handlers, logs, terminal
from esm_operator.adapters import kubernetes_client
from esm_operator.adapters.botocore_regions import known_regions
from esm_operator.adapters.kopf_process import exit_without_threads
from esm_operator.cluster import lease
from esm_operator.metrics import probes
from esm_operator.settings import Settings, known_region


class Run(Settings):
    """Run the operator until it is stopped."""

    def cli_cmd(self) -> None:
        logs.configure(self.log_format, self.log_level)
        try:
            known_region(self.default_region())
        except ValueError as error:
            terminal.stop(f"AWS_REGION (or AWS_DEFAULT_REGION): {error}.")
        if problem := self.problem():
            terminal.stop(problem)
        region = self.default_region()
        if region not in ("", *known_regions(), *self.more_regions):
            source = "--region" if self.region else "AWS_REGION (or AWS_DEFAULT_REGION)"
            terminal.stop(
                f"{source}: {region} is not a known AWS region. Correct the region. If it is new, update the operator, "
                f"or set --more-regions={region}."
            )
        settings = self.model_copy(
            update={
                "region": self.default_region(),
                "identity": self.identity or lease.own_identity(),
                "lease_namespace": self.lease_namespace or lease.own_namespace(),
            }
        )
        try:
            asyncio.run(kubernetes_client.configuration())
        except ConfigException as error:
            terminal.stop(f"No Kubernetes cluster is configured ({error}). Set KUBECONFIG, or run in a pod.")
        try:
            probes.check(settings.probe_address)
        except OSError as error:
            reason = error.strerror or error
            terminal.stop(f"--probe-address {settings.probe_address} cannot be used: {reason}. Choose another one.")
        asyncio.run(kopf_handlers.run(settings))
        exit_without_threads()
