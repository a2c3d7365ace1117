"""The command ``esm-operator run``."""

import asyncio
import sys

from kubernetes.aio.config import ConfigException

from esm_operator import kopf_handlers, logs
from esm_operator.adapters import kubernetes_client
from esm_operator.adapters.botocore_regions import known_regions
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
            sys.exit(f"esm-operator: AWS_REGION (or AWS_DEFAULT_REGION): {error}.")
        if problem := self.problem():
            sys.exit(f"esm-operator: {problem}")
        region = self.default_region()
        if region not in ("", *known_regions(), *self.more_regions):
            source = "--region" if self.region else "AWS_REGION (or AWS_DEFAULT_REGION)"
            sys.exit(
                f"esm-operator: {source}: {region} is not a known AWS region. Correct the region. If it is new, update "
                f"the operator, or set --more-regions={region}."
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
            sys.exit(f"esm-operator: No Kubernetes cluster is configured ({error}). Set KUBECONFIG, or run in a pod.")
        try:
            probes.check(settings.probe_address)
        except OSError as error:
            reason = error.strerror or error
            sys.exit(
                f"esm-operator: --probe-address {settings.probe_address} cannot be used: {reason}. Choose another one."
            )
        asyncio.run(kopf_handlers.run(settings))
