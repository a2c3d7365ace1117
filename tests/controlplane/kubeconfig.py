"""Kubeconfig files, with which kubectl, the operator and the tests connect to the API server."""

import ssl
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from tests.controlplane.credentials import write_secret


@dataclass(frozen=True)
class Access:
    """The address of the API server and the credentials of one user. The file includes the certificate."""

    server: str
    ca_certificate: bytes
    user: str
    token: str
    namespace: str = "default"

    def write(self, path: Path) -> Path:
        name = "esm-operator-control-plane"
        ca_certificate = b64encode(self.ca_certificate).decode()
        cluster = {"server": self.server, "certificate-authority-data": ca_certificate}
        context = {"cluster": name, "user": self.user, "namespace": self.namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": self.user, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": context}],
            "current-context": name,
        }
        write_secret(path, yaml.safe_dump(config, sort_keys=False))
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that `write` has written."""
        config = yaml.safe_load(path.read_text())
        cluster, user, context = config["clusters"][0]["cluster"], config["users"][0], config["contexts"][0]["context"]
        certificate = b64decode(cluster["certificate-authority-data"])
        return cls(cluster["server"], certificate, user["name"], user["user"]["token"], context["namespace"])

    @property
    def headers(self) -> dict[str, str]:
        """The headers that authenticate a request."""
        return {"Authorization": f"Bearer {self.token}"}

    def tls(self) -> ssl.SSLContext:
        """A TLS context that trusts only this server."""
        return ssl.create_default_context(cadata=self.ca_certificate.decode())
