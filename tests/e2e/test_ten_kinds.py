"""The main job: the ten examples, of all kinds of sources, from ``kubectl apply`` to Ready and back."""

from pathlib import Path

from tests.bed import FINALIZER, KIND, WRITES, Bed
from tests.e2e.manifests import queue
from tests.waiting import COMMAND_LIMIT, eventually

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
#: The width of a terminal into which `kubectl get esm` has to fit.
COLUMNS = 130
SOURCES = {
    "activemq": "mq/invoices/invoices",
    "documentdb": "documentdb/shop/orders.transactions",
    "dynamodb-stream": "dynamodb/orders",
    "kinesis-consumer": "kinesis/clicks/archive",
    "kinesis-stream": "kinesis/clicks",
    "msk": "kafka/shop/orders",
    "rabbitmq": "mq/payments/payments",
    "self-managed-kafka": "kafka/kafka1.example.com/orders",
    "sqs-filtering": "sqs/measurements",
    "sqs-queue": "sqs/orders",
}


def test_the_examples_from_apply_to_ready_and_back(bed: Bed) -> None:
    bed.operator()
    bed.kubectl("apply", f"--filename={EXAMPLES}")
    bed.kubectl("wait", "--for=condition=Ready", "esm", "--all", f"--timeout={COMMAND_LIMIT:.0f}s")

    shown = bed.kubectl("get", KIND, "--sort-by=.metadata.name")
    header, *rows = shown.splitlines()
    assert header.index("AGE") + len("9m59s") <= COLUMNS, shown
    start, end = header.index("SOURCE"), header.index("STATE")
    assert {row.split()[0]: row[start:end].strip() for row in rows} == SOURCES
    wide = bed.kubectl("get", KIND, "--output=wide")
    arns = [item["spec"].get("eventSourceARN", "") for item in bed.all()]
    assert all(arn in wide for arn in arns), "the ARN of each source is in the wide output"

    at_aws = {one["UUID"]: one for one in bed.mappings()}
    assert len(at_aws) == len(bed.all()) == 10
    for item in bed.all():
        status = item["status"]
        answered = at_aws[status["uuid"]]
        assert status["arn"] == answered["EventSourceMappingArn"]
        assert (status["region"], status["account"]) == tuple(status["arn"].split(":")[3:5])
        assert status["functionARN"] == answered["FunctionArn"]
        assert status["state"] == "Enabled"
        assert status["lastModified"].endswith("Z")
        assert status.get("lastProcessingResult") == answered.get("LastProcessingResult")
        assert status["observedGeneration"] == item["metadata"]["generation"]
        assert item["metadata"]["finalizers"] == [FINALIZER]
        assert status["tagsAll"] == answered["Tags"]
        assert status["tagsAll"]["esm-operator.io/name"] == item["metadata"]["name"]
    assert sum("lastProcessingResult" in item["status"] for item in bed.all()) >= 3

    calls = bed.calls()
    assert calls["CreateEventSourceMapping"] == 10
    assert "ListTags" not in calls
    assert {operation for operation in calls if operation in WRITES} == {"CreateEventSourceMapping"}

    bed.kubectl("delete", KIND, "--all", f"--timeout={COMMAND_LIMIT:.0f}s")
    eventually(lambda: not bed.mappings(), what="no mapping is left in AWS")
    assert bed.calls()["DeleteEventSourceMapping"] == 10
    assert bed.all() == []


def test_the_short_name_of_the_source_alone_causes_no_write(bed: Bed) -> None:
    """As after an upgrade from a version that did not write it."""
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue(batchSize=5))
    bed.wait_ready("orders")
    assert bed.status("orders")["source"] == "sqs/orders"
    operator.stop()
    bed.write_status("orders", {"source": None})
    before = bed.versions()

    operator.start()
    bed.wait_swept(4)
    assert bed.versions() == before
    bed.patch("orders", {"batchSize": 6})
    eventually(lambda: bed.status("orders").get("source") == "sqs/orders", what="the next write has the source")
