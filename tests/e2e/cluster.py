"""Reading from the API server without a kubectl process each time: tests that wait ask ten times a second."""

import http.client
import json
import time
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
        """What stands at a path of the API, or None where nothing does.

        As kubectl does, it asks again later where the server says so: after a change of a CRD its storage begins anew.
        """
        deadline = time.monotonic() + TIMEOUT
        while True:
            status, text, pause = self._ask(path)
            if status != 429 or time.monotonic() > deadline:
                break
            time.sleep(pause)
        if status == 404:
            return None
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {text}")
        return json.loads(text)

    def _ask(self, path: str) -> tuple[int, str, float]:
        """The status, the text, and the seconds after which the server wants to be asked again."""
        connection = http.client.HTTPSConnection(self._address, timeout=TIMEOUT, context=self._tls)
        try:
            connection.request("GET", path, headers=self._headers)
            response = connection.getresponse()
            return response.status, response.read().decode(), float(response.headers.get("Retry-After", "1"))
        finally:
            connection.close()
