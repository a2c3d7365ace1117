"""A pod in the network reads the answers of the operator's ports, or sends it many wrong tokens."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests import role
from tests.aws import FaultKind
from tests.bed import Bed
from tests.controlplane.client import path
from tests.e2e.manifests import queue
from tests.operator_process import OperatorProcess
from tests.unit.slow_connections import certificate
from tests.waiting import eventually

ACCOUNT = "123456789012"


def read(url: str) -> str:
    """The text of an answer, whatever its status."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_nobody_reads_accounts_and_names_without_authentication(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue("secret-project"))
    bed.wait_ready("secret-project")
    bed.control.fault(FaultKind.UNRECOGNIZED_CLIENT)
    eventually(lambda: ACCOUNT in operator.tail(), "the log has the failure, with the account")
    answers = ""

    def swept() -> bool:
        nonlocal answers
        answers = read(operator.metrics_url)
        return "esm_operator_sweep_age_seconds{" in answers

    eventually(swept, "the account has series")
    answers += read(f"{operator.url}/readyz") + read(f"{operator.url}/healthz")
    for secret in (ACCOUNT, "arn:", "secret-project", bed.namespace, "esm-operator/"):
        assert secret not in answers, answers


class Clients:
    """Clients of the metrics of one operator, with ServiceAccounts in the namespace of the bed."""

    def __init__(self, bed: Bed, operator: OperatorProcess, ca: Path) -> None:
        self._bed = bed
        # The certificate is for localhost.
        self._url = f"https://localhost:{urlsplit(operator.metrics_url).port}/metrics"
        self._context = ssl.create_default_context(cafile=str(ca))

    def token(self, name: str) -> str:
        """A token of a new ServiceAccount."""
        self._bed.client.install(role.account(name, self._bed.namespace))
        where = f"{path('ServiceAccount', name, self._bed.namespace)}/token"
        return str(self._bed.client.request("POST", where, {"spec": {}})["status"]["token"])

    def read(self, token: str = "") -> tuple[int, str]:
        """The status and the text of an answer."""
        request = urllib.request.Request(self._url, headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._context) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def eventually(self, token: str, check: Callable[[int, str], bool]) -> None:
        eventually(lambda: check(*self.read(token)), lambda: str(self.read(token))[:500])


def test_only_clients_that_kubernetes_allows_read_authenticated_metrics(bed: Bed, tmp_path: Path) -> None:
    certificate(tmp_path)
    for one in role.granted(role.Role(role.rules("metrics-clients")), f"reviews-{bed.namespace}", role.NAME):
        bed.client.install(one)
        bed.exits.callback(bed.client.delete, path(one["kind"], one["metadata"]["name"]))
    operator = bed.operator(
        "--sweep-interval=1",
        "--metrics-authentication",
        "--metrics-per-mapping",
        f"--metrics-certificate-file={tmp_path / 'ca.pem'}",
        f"--metrics-key-file={tmp_path / 'key.pem'}",
    )
    bed.apply(queue())
    bed.wait_ready("orders")
    clients = Clients(bed, operator, tmp_path / "ca.pem")
    tenant, prometheus = clients.token("tenant"), clients.token("prometheus")
    assert clients.read()[0] == 401
    assert clients.read("wrong")[0] == 401
    assert clients.read(tenant)[0] == 403

    reader = role.Role([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}])
    for one in role.granted(reader, f"reader-{bed.namespace}", "prometheus", bed.namespace):
        bed.client.install(one)
        bed.exits.callback(bed.client.delete, path(one["kind"], one["metadata"]["name"]))
    clients.eventually(prometheus, lambda status, _: status == 200)
    clients.eventually(prometheus, lambda _, text: f'account="{ACCOUNT}"' in text)
    clients.eventually(prometheus, lambda _, text: 'esm_operator_mapping_ready{name="orders"' in text)
    for number in range(20):
        assert clients.read(f"wrong-{number}")[0] == 401
    assert clients.read(tenant)[0] == 403
    assert clients.read(prometheus)[0] == 200
    operator.stop()
    assert "Unclosed" not in operator.log.read_text()
