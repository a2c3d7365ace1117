"""Reading from the API server without a kubectl process each time: tests that wait ask ten times a second."""

import http.client
import json
import ssl
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

TIMEOUT = 30.0


class Cluster:
    """The API server, as the user of a kubeconfig that the control plane wrote."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._address = urlsplit(cluster["server"]).netloc
        self._token = config["users"][0]["user"]["token"]
        certificate = b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=certificate)

    def get(self, path: str) -> dict[str, Any] | None:
        """What stands at a path of the API, or None where nothing does."""
        connection = http.client.HTTPSConnection(self._address, timeout=TIMEOUT, context=self._tls)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status == 404:
            return None
        if response.status != 200:
            raise RuntimeError(f"GET {path}: {response.status} {text}")
        return json.loads(text)
