"""The metrics of a running operator, as Prometheus scrapes them."""

from esm_operator.metrics.accounts import alias
from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue, stream
from tests.e2e.scraped import Series, reader, scrape
from tests.waiting import eventually


def test_drift_problems_and_requests_are_counted(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    read = reader(operator)
    eventually(lambda: read("leader") == 1)
    assert [read("drift_corrected_total", kind=kind) for kind in ("fields", "tags", "deleted")] == [0, 0, 0]
    assert read("processing_problems") == read("deletions_held") == 0

    bed.apply(queue(batchSize=5), stream("clicks"))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.wait_ready("clicks")
    assert read("aws_requests_total", operation="CreateEventSourceMapping", code="OK") == 2
    assert read("reconciles_total", result="synced") >= 2

    bed.control.edit_mapping(uuid, BatchSize=9)
    eventually(lambda: read("drift_corrected_total", kind="fields") == 1)
    bed.wait_ready("orders")
    bed.control.delete_mapping(uuid)
    eventually(lambda: read("drift_corrected_total", kind="deleted") == 1)

    clicks = bed.mapping("clicks")["UUID"]
    bed.control.edit_mapping(clicks, LastProcessingResult="PROBLEM: Function call failed")
    eventually(lambda: read("processing_problems") == 1)
    bed.control.edit_mapping(clicks, LastProcessingResult="OK")
    eventually(lambda: read("processing_problems") == 0)

    bed.control.fault(FaultKind.THROTTLE, "ListEventSourceMappings", times=1)
    throttled = {"operation": "ListEventSourceMappings", "code": "TooManyRequestsException"}
    eventually(lambda: read("aws_requests_total", **throttled) == 1)
    bed.control.fault(FaultKind.CLOSE, "ListEventSourceMappings", times=1)
    eventually(lambda: any(_is_unanswered(series) for series in scrape(operator)), what="a request without an answer")


def _is_unanswered(series: Series) -> bool:
    name, labels = series
    code = dict(labels).get("code", "")
    return name == "esm_operator_aws_requests_total" and code.endswith("Error")


def test_held_deletions_are_counted(bed: Bed) -> None:
    read = reader(bed.operator("--deletions-per-minute=1"))
    for name in ("a", "b", "c"):
        bed.apply(queue(name))
    for name in ("a", "b", "c"):
        bed.wait_ready(name)
    for name in ("a", "b", "c"):
        bed.delete(name)
    eventually(lambda: read("deletions_held") == 2)


def test_a_standby_does_not_lead(bed: Bed) -> None:
    lease = {"ESM_OPERATOR_LEASE_NAME": bed.namespace}
    first, second = bed.operator(environment=lease), bed.operator(environment=lease)
    eventually(lambda: sorted([reader(first)("leader"), reader(second)("leader")]) == [0, 1])
    leader, standby = (first, second) if reader(first)("leader") else (second, first)
    leader.stop()
    eventually(lambda: reader(standby)("leader") == 1)


def test_refused_credentials_are_reported(bed: Bed) -> None:
    """At the start not even the account is known. The report ends when the credentials are accepted."""
    bed.control.fault(FaultKind.UNRECOGNIZED_CLIENT)
    read = reader(bed.operator("--sweep-interval=1"))
    refused = {"operation": "GetCallerIdentity", "code": "UnrecognizedClientException"}
    eventually(lambda: read("aws_requests_total", **refused) >= 1)
    assert read("aws_failures_total", reason="CredentialsRefused") >= 1
    bed.apply(queue())
    # After two minutes, which a slow machine may take, the resource is Stalled.
    states = [{"status": status, "reason": "CredentialsRefused"} for status in ("Reconciling", "Stalled")]
    eventually(lambda: 1 in [read("resources", **state) for state in states])
    bed.control.clear_faults()
    bed.wait_ready("orders")
    eventually(lambda: read("resources", status="Ready", reason="Enabled") == 1)
    eventually(lambda: read("sweep_age_seconds", account=alias("123456789012"), region="eu-west-1") < 3)
    assert read("mappings", state="Enabled", source="sqs") == 1
    assert read("kubernetes_requests_total", verb="PATCH", code="200") >= 1
