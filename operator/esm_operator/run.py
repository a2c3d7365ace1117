"""The command ``esm-operator run``."""

import asyncio

from kubernetes.aio.config import ConfigException

from esm_operator import descriptors, kopf_handlers, logs, terminal
from esm_operator.adapters import kubernetes_client
from esm_operator.adapters.botocore_regions import known_regions
from esm_operator.adapters.kopf_process import exit_without_threads
from esm_operator.cluster import lease
from esm_operator.metrics import http_server
from esm_operator.metrics.tls_files import TlsFiles
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
        for flag, address in (
            ("--probe-address", settings.probe_address),
            ("--metrics-address", settings.metrics_address),
        ):
            try:
                http_server.check(address)
            except OSError as error:
                terminal.stop(f"{flag} {address} cannot be used: {error.strerror or error}. Choose another one.")
        if settings.metrics_certificate_file:
            files = settings.metrics_certificate_file, settings.metrics_key_file
            try:
                TlsFiles(*files)
            except OSError as error:
                terminal.stop(
                    f"--metrics-certificate-file {files[0]} and --metrics-key-file {files[1]} cannot be used: "
                    f"{error.strerror or error}. Name a certificate and its key, as PEM."
                )
        descriptors.raise_limit()
        asyncio.run(kopf_handlers.run(settings))
        exit_without_threads()
