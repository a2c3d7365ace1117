"""A cluster is restored from a backup, with new uids: the resources get their mappings back, and no mapping is lost."""

import json
from typing import Any

import pytest

from tests.bed import FINALIZER, WRITES, Bed
from tests.e2e.manifests import TEN_KINDS, mapping
from tests.e2e.test_orphans import orphans
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

UID = "esm-operator.io/uid"
#: Metadata that backup tools leave out, because the API server sets it.
SERVERS_OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
#: Sources whose mappings are found in different ways: by ARN, by topic and servers, by queue.
SOURCES = ("sqs", "dynamodb", "self-managed-kafka", "rabbitmq")


def _backed_up(bed: Bed) -> list[dict[str, Any]]:
    return bed.all()


def _lose(bed: Bed, operator: OperatorProcess) -> None:
    """Lose the cluster. Neither the operator nor AWS notices."""
    operator.kill()
    bed.clear()
    eventually(lambda: bed.all() == [])


def _restore(bed: Bed, items: list[dict[str, Any]], *, status: bool) -> None:
    for item in items:
        meta = {name: value for name, value in item["metadata"].items() if name not in SERVERS_OWN}
        created = {**{name: part for name, part in item.items() if name != "status"}, "metadata": meta}
        bed.client.create(created)
        if status:
            bed.write_status(meta["name"], item["status"])


def _without_annotations(item: dict[str, Any]) -> dict[str, Any]:
    meta = {name: value for name, value in item["metadata"].items() if name not in ("annotations", "finalizers")}
    return {**item, "metadata": meta}


def _made(bed: Bed) -> OperatorProcess:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(*(mapping(name, **{**TEN_KINDS[name], "tags": {"team": name}}) for name in SOURCES))
    for name in SOURCES:
        bed.wait_ready(name)
    return operator


def _uid_at_aws(bed: Bed, uuid: str) -> str:
    """The uid of the resource in a mapping's tags."""
    return next((one["Tags"].get(UID, "") for one in bed.mappings() if one["UUID"] == uuid), "")


def _functions(bed: Bed) -> dict[str, str]:
    """The function name of each mapping, by UUID."""
    return {one["UUID"]: str(one["FunctionArn"]).partition(":function:")[2] for one in bed.mappings()}


def _uuids(bed: Bed) -> dict[str, str]:
    return {one["metadata"]["name"]: one["status"]["uuid"] for one in bed.all()}


@pytest.mark.parametrize("restored", ["with status", "without status", "without annotations too"])
def test_a_restored_cluster_keeps_its_mappings(bed: Bed, restored: str) -> None:
    operator = _made(bed)
    uuids, items = _uuids(bed), _backed_up(bed)
    before = {one["UUID"]: {**one, "Tags": None} for one in bed.mappings()}
    _lose(bed, operator)
    if restored == "without annotations too":
        items = [_without_annotations(item) for item in items]
    bed.control.reset_counts()
    _restore(bed, items, status=restored == "with status")

    operator.start()
    uids = {item["metadata"]["name"]: item["metadata"]["uid"] for item in bed.all()}
    for name in SOURCES:
        eventually(lambda name=name: _uid_at_aws(bed, uuids[name]) == uids[name], what=f"{name} is taken up")
        bed.wait_ready(name)
    bed.wait_swept(2)
    assert _uuids(bed) == uuids
    assert {one["UUID"]: {**one, "Tags": None} for one in bed.mappings()} == before
    for item in bed.all():
        assert item["metadata"]["finalizers"] == [FINALIZER]
        assert item["status"]["tagsAll"] == bed.mapping(item["metadata"]["name"])["Tags"]
        assert item["status"]["tagsAll"]["team"] == item["metadata"]["name"]
    written = {operation: count for operation, count in bed.calls().items() if operation in WRITES}
    assert written == {"TagResource": len(SOURCES)}

    bed.delete_all()
    eventually(lambda: bed.mappings() == [] and bed.all() == [])


@pytest.mark.parametrize("restored", ["with status", "without status"])
def test_a_function_edited_in_the_backup_changes_the_mapping(bed: Bed, restored: str) -> None:
    operator = _made(bed)
    uuids, items = _uuids(bed), _backed_up(bed)
    _lose(bed, operator)
    for item in items:
        item["spec"]["functionName"] = f"{item['metadata']['name']}-edited"
    bed.control.reset_counts()
    _restore(bed, items, status=restored == "with status")

    operator.start()
    wanted = {uuids[name]: f"{name}-edited" for name in SOURCES}
    eventually(lambda: _functions(bed) == wanted, what="the functions are changed")
    eventually(lambda: all(one["status"].get("functionARN", "").endswith("-edited") for one in bed.all()))
    for name in SOURCES:
        bed.wait_ready(name)
    assert _uuids(bed) == uuids
    assert {one["State"] for one in bed.mappings()} == {"Enabled"}
    assert not bed.calls().keys() & {"CreateEventSourceMapping", "DeleteEventSourceMapping"}


def test_a_restored_deletion_continues(bed: Bed) -> None:
    operator = _made(bed)
    items = _backed_up(bed)
    _lose(bed, operator)
    _restore(bed, items, status=False)
    bed.delete_all()
    operator.start()
    eventually(lambda: bed.all() == [])
    assert bed.mappings() == []


def test_a_function_edited_without_status_and_intent_leaves_an_orphan_that_is_listed(bed: Bed) -> None:
    operator = _made(bed)
    uuids, items = _uuids(bed), [_without_annotations(item) for item in _backed_up(bed)]
    _lose(bed, operator)
    edited = next(item for item in items if item["metadata"]["name"] == "sqs")
    edited["spec"]["functionName"] = "sqs-edited"
    _restore(bed, items, status=False)

    operator.start()
    for name in SOURCES:
        bed.wait_ready(name)
    assert {name for name, uuid in _uuids(bed).items() if uuid != uuids[name]} == {"sqs"}
    found = json.loads(orphans(bed, "--output=json", "--thorough").stdout)
    assert [one["uuid"] for one in found] == [uuids["sqs"]]
    assert "DeleteEventSourceMapping" not in bed.calls()
