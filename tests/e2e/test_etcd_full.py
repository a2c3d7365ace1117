"""The database of etcd is full, so the API server refuses all writes, also those of the lease.

The operator stops its writes before its lease ends, and continues when the administrator has made room.
"""

from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from tests import role
from tests.aws import AwsServer
from tests.bed import Bed, install
from tests.bed.cluster import create_namespace
from tests.conftest import PACE
from tests.controlplane import ControlPlane
from tests.controlplane.client import ApiError, path
from tests.e2e.manifests import queue
from tests.waiting import eventually

#: Bytes that etcd may store, and bytes of one object that fills it.
QUOTA, FILLER = 16 * 2**20, 2**20 - 2**14
NAMESPACE = "shop"

pytestmark = pytest.mark.long


@pytest.fixture
def small(aws_server: AwsServer, tmp_path: Path) -> Generator[Bed]:
    """A bed on a control plane whose etcd is small."""
    aws_server.control.reset()
    aws_server.control.set(pace=PACE)
    with ControlPlane(etcd_quota=QUOTA) as plane:
        install(plane)
        create_namespace(plane.client, NAMESPACE)
        kubeconfig = plane.kubeconfig_for(role.NAME, role.NAME)
        with Bed(plane=plane, aws=aws_server, kubeconfig=kubeconfig, namespace=NAMESPACE, folder=tmp_path) as bed:
            yield bed


def fill(bed: Bed) -> int:
    """Create ConfigMaps until etcd is full. Returns how many there are."""
    for number in range(2 * QUOTA // FILLER):
        try:
            bed.client.create(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": f"filler-{number}"},
                    "data": {"text": "x" * FILLER},
                },
                bed.namespace,
            )
        except ApiError as error:
            if "database space exceeded" not in error.message:
                raise
            return number
    raise AssertionError("etcd is not full")


def test_all_changes_are_made_when_a_full_etcd_has_room_again(small: Bed) -> None:
    bed = small
    operator = bed.operator("--sweep-interval=1", "--lease-duration=10")
    bed.apply(*(queue(name, batchSize=5) for name in ("drifts", "deleted", "edited")))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("drifts", "deleted", "edited")}
    fillers = fill(bed)
    eventually(lambda: "Lost the lease" in operator.log.read_text(), "it lost the lease")
    before = bed.calls().get("UpdateEventSourceMapping", 0)
    bed.control.edit_mapping(uuids["drifts"], BatchSize=9)
    eventually(lambda: "database space exceeded" in operator.log.read_text(), "the log has the reason")
    assert bed.calls().get("UpdateEventSourceMapping", 0) == before

    for number in range(fillers):
        bed.client.delete(path("ConfigMap", f"filler-{number}", bed.namespace))
    bed.plane.free_etcd()
    bed.patch("edited", {"batchSize": 6})
    bed.delete("deleted")
    bed.apply(queue("made"))
    bed.wait_gone("deleted")
    for name in ("edited", "made"):
        bed.wait_ready(name)
    eventually(lambda: bed.mapping("drifts")["BatchSize"] == 5, "the drift is corrected")
    assert bed.mapping("edited")["BatchSize"] == 6
    assert bed.functions() == Counter(["drifts", "edited", "made"])
    assert bed.calls()["CreateEventSourceMapping"] == 4
