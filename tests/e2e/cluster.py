"""Reading from the API server without a kubectl process each time: tests that wait ask ten times a second."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.controlplane.kubeconfig import Access

TIMEOUT = 30.0


class Cluster:
    """The API server, as the user of a kubeconfig that the control plane wrote."""

    def __init__(self, kubeconfig: Path) -> None:
        access = Access.read(kubeconfig)
        self._address = urlsplit(access.server).netloc
        self._headers, self._tls = access.headers, access.tls()

    def get(self, path: str) -> dict[str, Any] | None:
        """What stands at a path of the API, or None where nothing does."""
        connection = http.client.HTTPSConnection(self._address, timeout=TIMEOUT, context=self._tls)
        try:
            connection.request("GET", path, headers=self._headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status == 404:
            return None
        if response.status != 200:
            raise RuntimeError(f"GET {path}: {response.status} {text}")
        return json.loads(text)
