"""The TLS certificate of the metrics, from files that are read again when they have changed.

cert-manager and the kubelet replace the files of a Secret some days before the certificate expires.
"""

import logging
import os
import ssl

from esm_operator.clock import monotonic
from esm_operator.ratelimit.failure_log import FailureLog

logger = logging.getLogger(__name__)

#: Seconds between two looks at the files.
INTERVAL = 10.0


class TlsFiles:
    """A certificate and its key. For one event loop."""

    def __init__(self, certificate: str, key: str) -> None:
        """
        Args:
            certificate: the file with the certificate and its intermediate certificates, as PEM.
            key: the file with the private key, as PEM.

        Raises:
            OSError: a file cannot be read, or is not what it should be. ssl.SSLError is an OSError.
        """
        self._files = (certificate, key)
        self._failures = FailureLog(logger, "The operator has read the certificate of the metrics again")
        self._looked_at = monotonic()
        self._read_as: list[tuple[int, int, int]] = self._look()
        self._context = self._read()

    def context(self) -> ssl.SSLContext:
        """The TLS context of a new connection. If the files cannot be read again, it has the old certificate."""
        if monotonic() - self._looked_at < INTERVAL:
            return self._context
        self._looked_at = monotonic()
        try:
            found = self._look()
            if found != self._read_as:
                self._context, self._read_as = self._read(), found
                logger.info("The operator has read the changed certificate of the metrics from %s", self._files[0])
            self._failures.succeeded()
        except OSError as error:
            self._failures.failed(
                f"The operator could not read the certificate of the metrics from {' and '.join(self._files)}, and "
                f"continues with the old one. {error}.",
                cause=type(error),
            )
        return self._context

    def _look(self) -> list[tuple[int, int, int]]:
        return [(found.st_ino, found.st_mtime_ns, found.st_size) for found in map(os.stat, self._files)]

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files, password=lambda: "")  # never ask at a terminal
        return context
