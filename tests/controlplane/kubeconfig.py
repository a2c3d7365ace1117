"""Kubeconfig files: how kubectl, the operator and the tests get at the API server, each as somebody."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.controlplane.credentials import write_secret


@dataclass(frozen=True)
class Access:
    """Somebody's way in. The certificate is part of the file, so that the file can be passed around alone."""

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
