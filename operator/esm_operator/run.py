"""The command ``esm-operator run``."""

import asyncio
import sys

from kubernetes.aio.config import ConfigException

from esm_operator import descriptors, kopf_handlers, logs
from esm_operator.adapters import kubernetes_client
from esm_operator.cluster import lease
from esm_operator.metrics import http_server
from esm_operator.metrics.tls_files import TlsFiles
from esm_operator.settings import Settings, known_region


class Run(Settings):
    """Run the operator until it is stopped."""

    def cli_cmd(self) -> None:
        logs.configure(self.log_format, self.log_level)
        if problem := self.contradiction():
            sys.exit(f"esm-operator: {problem}")
        try:
            known_region(self.default_region())
        except ValueError as error:
            sys.exit(f"esm-operator: AWS_REGION (or AWS_DEFAULT_REGION): {error}.")
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
        for flag, address in (
            ("--probe-address", settings.probe_address),
            ("--metrics-address", settings.metrics_address),
        ):
            try:
                http_server.check(address)
            except OSError as error:
                reason = error.strerror or error
                sys.exit(f"esm-operator: {flag} {address} cannot be used: {reason}. Choose another one.")
        if settings.metrics_certificate_file:
            files = settings.metrics_certificate_file, settings.metrics_key_file
            try:
                TlsFiles(*files)
            except OSError as error:
                sys.exit(
                    f"esm-operator: --metrics-certificate-file {files[0]} and --metrics-key-file {files[1]} cannot be "
                    f"used: {error.strerror or error}. Name a certificate and its key, as PEM."
                )
        descriptors.raise_limit()
        asyncio.run(kopf_handlers.run(settings))
