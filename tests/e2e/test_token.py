"""The token of the ServiceAccount is replaced while the operator runs, as the kubelet does, and the old one expires."""

import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests import role
from tests.bed import Bed
from tests.controlplane.client import ApiError, KubernetesClient, path
from tests.controlplane.kubeconfig import Access
from tests.e2e.manifests import queue
from tests.e2e.proxy import Proxy
from tests.soak.in_cluster import MAIN, ServiceAccountFiles
from tests.waiting import eventually

#: Seconds after which the kubernetes package reads the token again. In a pod it is a minute.
READING = 2.0
ROTATIONS = 3

pytestmark = pytest.mark.long


def bound_token(bed: Bed, secret: str) -> str:
    """A new token that is valid as long as a Secret exists. The shortest lifetime of others is ten minutes."""
    made = bed.client.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret, "namespace": role.NAME}}
    )
    bound = {"apiVersion": "v1", "kind": "Secret", "name": secret, "uid": made["metadata"]["uid"]}
    where = f"{path('ServiceAccount', role.NAME, role.NAME)}/token"
    return str(bed.client.request("POST", where, {"spec": {"boundObjectRef": bound}})["status"]["token"])


def is_valid(bed: Bed, token: str) -> bool:
    """Whether the API server accepts a token."""
    access = Access.read(bed.kubeconfig)
    try:
        KubernetesClient(Access(access.server, access.ca_certificate, "operator", token)).items(
            path("EventSourceMapping", namespace=bed.namespace)
        )
    except ApiError as error:
        if error.status != 401:
            raise
        return False
    return True


@contextmanager
def in_a_pod(bed: Bed, proxy: Proxy) -> Generator[ServiceAccountFiles]:
    """The files of a ServiceAccount with its first token."""
    access = Access.read(bed.kubeconfig)
    folder = bed.folder / "service-account"
    folder.mkdir()
    token = bound_token(bed, f"{bed.namespace}-0")
    first = Access(access.server, access.ca_certificate, "operator", token)
    try:
        yield ServiceAccountFiles(folder, first, ("127.0.0.1", proxy.port), reading=READING)
    finally:
        for number in range(ROTATIONS + 1):
            bed.client.delete(path("Secret", f"{bed.namespace}-{number}", role.NAME))


def test_the_operator_keeps_working_when_its_token_is_replaced(bed: Bed) -> None:
    with Proxy(*bed.plane.address) as proxy, in_a_pod(bed, proxy) as files:
        operator = bed.operator("--sweep-interval=1", entry=MAIN, environment=files.environment)
        bed.apply(queue(batchSize=1))
        uuid = bed.wait_ready("orders")["status"]["uuid"]
        for number in range(1, ROTATIONS + 1):
            old = files.token()
            files.rotate(bound_token(bed, f"{bed.namespace}-{number}"))
            until = time.monotonic() + 2 * READING
            eventually(lambda until=until: time.monotonic() > until, "the token is read again")
            bed.client.delete(path("Secret", f"{bed.namespace}-{number - 1}", role.NAME))
            eventually(lambda old=old: not is_valid(bed, old), "the API server refuses the old token")
            proxy.cut()  # a watch that is open is not authenticated again
            bed.patch("orders", {"batchSize": 1 + number})
            bed.wait_ready("orders")
            bed.apply(queue(f"made-{number}"))
            bed.wait_ready(f"made-{number}")
        assert bed.mapping("orders")["BatchSize"] == 1 + ROTATIONS
        assert bed.status("orders")["uuid"] == uuid
        assert "Lost the lease" not in operator.log.read_text()
        operator.stop()
    assert bed.calls()["CreateEventSourceMapping"] == 1 + ROTATIONS


def test_the_operator_recovers_when_its_token_expired_before_it_was_replaced(bed: Bed) -> None:
    with Proxy(*bed.plane.address) as proxy, in_a_pod(bed, proxy) as files:
        operator = bed.operator("--sweep-interval=1", entry=MAIN, environment=files.environment)
        bed.apply(queue(batchSize=1))
        bed.wait_ready("orders")
        first = files.token()
        bed.client.delete(path("Secret", f"{bed.namespace}-0", role.NAME))
        eventually(lambda: not is_valid(bed, first), "the API server refuses the token")
        proxy.cut()
        bed.patch("orders", {"batchSize": 2})
        eventually(lambda: "Lost the lease" in operator.log.read_text(), "it lost the lease")
        files.rotate(bound_token(bed, f"{bed.namespace}-1"))
        bed.wait_ready("orders")
        assert bed.mapping("orders")["BatchSize"] == 2
        operator.stop()
    assert bed.calls()["CreateEventSourceMapping"] == 1
