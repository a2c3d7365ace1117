"""The metrics as Prometheus scrapes them."""

import asyncio
import time
import urllib.request
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.model import StructureShape
from botocore.session import get_session
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from esm_operator.api.metric_labels import MetricLabels
from esm_operator.api.resource import Resource, parse
from esm_operator.aws.call import READS
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.metrics import accounts, counters, gauges
from esm_operator.metrics.catalogue import CATALOGUE, Exposer, MetricType
from esm_operator.metrics.gauges import ProcessState, Snapshot, TargetMetrics
from esm_operator.metrics.probes import MetricsServer
from esm_operator.ratelimit.rate_limiter import RateLimiterState
from esm_operator.ratelimit.waiters import RequestPriority
from esm_operator.ratelimit.workqueue import QueueState
from tests.operator_process import free_port

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
ACCOUNT = "123456789012"
REGION = "eu-west-1"
#: Without authentication, the label is the alias of the account.
TARGET = {"account": accounts.alias(ACCOUNT), "region": REGION}
#: The operations that the operator calls.
OPERATIONS = READS | {
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "CreateEventSourceMapping",
    "DeleteEventSourceMapping",
    "TagResource",
    "UntagResource",
    "UpdateEventSourceMapping",
}
#: Limit of a scrape at 10,000 mappings, in seconds. Far above its real time, and far below a loop over all mappings.
CHEAP = 0.1


def value(name: str, /, **labels: str) -> float:
    """The current value of a series. -1: the series does not exist."""
    found = REGISTRY.get_sample_value(f"esm_operator_{name}", labels)
    return -1.0 if found is None else found


def samples(name: str) -> list[Sample]:
    """All series of a metric."""
    name = f"esm_operator_{name}"
    return [one for metric in REGISTRY.collect() for one in metric.samples if one.name == name]


def resource(name: str = "orders", *, version: int = 1, **parts: Any) -> Resource:
    """A resource with parts of its status, or of its metadata."""
    conditions = [{"type": kind, "status": told} for kind, told in parts.pop("conditions", {}).items()]
    for condition in conditions:
        condition["reason"] = parts.get("reason", "")
    status = {"conditions": conditions, **({"state": parts["state"]} if "state" in parts else {})}
    metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": str(version), "generation": 1}
    return parse(
        {
            "metadata": metadata | parts.get("metadata", {}),
            "spec": {"functionName": name, **parts.get("spec", {"eventSourceARN": QUEUE})},
            "status": status if conditions or "state" in parts else {},
        }
    )


def snapshot(cache: ResourceCache, *, each: bool = False) -> Snapshot:
    """The metrics of a leader with these resources."""
    return Snapshot(
        resources=cache.counts(),
        queue={"edit": QueueState(depth=2, under_way=1, oldest=7.5)},
        delayed=3,
        places=[
            TargetMetrics(
                account=ACCOUNT,
                region=REGION,
                sweep_age=61.0,
                sweep_interval=60.0,
                mappings=230,
                rate_limiter=RateLimiterState(rate_set=10.0, rate_now=2.5, tokens=1.5, waiting=4),
                orphans=3,
                tags_one_by_one=True,
            )
        ],
        deletions_held=5,
        each=cache.all() if each else (),
    )


@dataclass
class Term:
    """The term of a leader."""

    cache: ResourceCache
    each: bool = False
    """Whether each mapping has its own series."""

    def snapshot(self) -> Snapshot:
        return snapshot(self.cache, each=self.each)


@pytest.fixture
def cache() -> Generator[ResourceCache]:
    """The resources that a leader reports at each scrape."""
    cache = ResourceCache()
    gauges.show_term(Term(cache).snapshot)
    yield cache
    gauges.show_term(None)


@pytest.mark.parametrize("kind", counters.DriftKind)
def test_drift_is_counted_by_kind_and_starts_at_zero(kind: counters.DriftKind) -> None:
    assert f'esm_operator_drift_corrected_total{{kind="{kind}"}}' in generate_latest(REGISTRY).decode()
    before = value("drift_corrected_total", kind=kind)
    counters.DRIFT_CORRECTED.labels(kind).inc()
    assert value("drift_corrected_total", kind=kind) == before + 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, "OK"),
        (ClientError({"Error": {"Code": "TooManyRequestsException"}}, "GetEventSourceMapping"), None),
        (ClientError({}, "GetEventSourceMapping"), "Unknown"),
        (ConnectTimeoutError(endpoint_url="https://lambda"), "ConnectTimeoutError"),
    ],
)
def test_requests_are_counted_by_code(error: Exception | None, code: str | None) -> None:
    labels = {"operation": "GetEventSourceMapping", "code": code or "TooManyRequestsException"}
    before = max(0.0, value("aws_requests_total", **labels))
    timed = max(0.0, value("aws_request_duration_seconds_sum", operation="GetEventSourceMapping"))
    counters.answered("GetEventSourceMapping", 0.25, error)
    assert value("aws_requests_total", **labels) == before + 1
    assert value("aws_request_duration_seconds_sum", operation="GetEventSourceMapping") == pytest.approx(timed + 0.25)


def test_failures_are_counted_by_the_reason_of_the_condition() -> None:
    before = value("aws_failures_total", reason="Throttled")
    assert before >= 0, "it begins at zero"
    error = ClientError({"Error": {"Code": "TooManyRequestsException"}}, "GetEventSourceMapping")
    counters.answered("GetEventSourceMapping", 0.1, error, "Throttled")
    assert value("aws_failures_total", reason="Throttled") == before + 1


def test_answers_of_other_servers_do_not_create_unlimited_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_other_codes", set[str]())
    for number in range(1000):
        counters.answered("ListTags", 0.0, ClientError({"Error": {"Code": f"Proxy{number}"}}, "ListTags"))
    scraped = [line for line in generate_latest(REGISTRY).decode().splitlines() if 'code="Proxy' in line]
    assert len(scraped) == counters.MOST_OTHER_CODES
    other = value("aws_requests_total", operation="ListTags", code="Other")
    assert other == 1000 - counters.MOST_OTHER_CODES


def test_reconciliations_are_counted_and_timed_by_outcome() -> None:
    count, seconds = value("reconciles_total", result="stalled"), 1.5
    timed = max(0.0, value("reconcile_duration_seconds_sum", result="stalled"))
    counters.reconciled(counters.ReconcileOutcome.STALLED, seconds)
    assert value("reconciles_total", result="stalled") == count + 1
    assert value("reconcile_duration_seconds_sum", result="stalled") == pytest.approx(timed + seconds)


TRUE, FALSE = "True", "False"
READY = {"Ready": TRUE, "Stalled": FALSE}
FACETS: Mapping[str, tuple[dict[str, Any], MetricLabels]] = {
    "new": ({}, MetricLabels("sqs", "None", "New", "", True, False, False)),
    "ready": (
        {"conditions": READY, "reason": "Enabled", "state": "Enabled"},
        MetricLabels("sqs", "Enabled", "Ready", "Enabled", True, False, False),
    ),
    "reconciling": (
        {"conditions": {"Ready": FALSE}, "reason": "Creating", "state": "Creating"},
        MetricLabels("sqs", "Creating", "Reconciling", "Creating", True, False, False),
    ),
    "stalled": (
        {"conditions": {"Ready": FALSE, "Stalled": TRUE, "Synced": FALSE}, "reason": "Conflict"},
        MetricLabels("sqs", "None", "Stalled", "Conflict", False, False, False),
    ),
    "deleting": (
        {
            "conditions": READY,
            "reason": "Enabled",
            "state": "Deleting",
            "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
        },
        MetricLabels("sqs", "Deleting", "Deleting", "Enabled", True, False, False),
    ),
    "a deletion that needs a person": (
        {
            "conditions": {"Ready": FALSE, "Stalled": TRUE},
            "reason": "TargetChanged",
            "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
        },
        MetricLabels("sqs", "None", "Stalled", "TargetChanged", True, False, False),
    ),
    "a processing problem": (
        {"conditions": {**READY, "Processing": FALSE}, "reason": "Enabled", "state": "Enabled"},
        MetricLabels("sqs", "Enabled", "Ready", "Enabled", True, True, False),
    ),
    "paused": (
        {"metadata": {"annotations": {"lambda.esm-operator.io/paused": "true"}}},
        MetricLabels("sqs", "None", "New", "", True, False, True),
    ),
    "self-managed": (
        {"spec": {"selfManagedEventSource": {"endpoints": {}}}},
        MetricLabels("self-managed-kafka", "None", "New", "", True, False, False),
    ),
    "no source": ({"spec": {}}, MetricLabels("other", "None", "New", "", True, False, False)),
}


@pytest.mark.parametrize("name", FACETS)
def test_resources_are_counted_by_their_labels(name: str) -> None:
    parts, facets = FACETS[name]
    assert resource(**parts).metric_labels == facets


def test_the_cache_counts_its_resources() -> None:
    cache = ResourceCache()
    assert cache.counts() == {}
    cache.put(resource("a"))
    cache.put(resource("b"))
    new, ready = FACETS["new"][1], FACETS["ready"][1]
    assert cache.counts() == {new: 2}
    cache.put(resource("b", version=2, **FACETS["ready"][0]))
    assert cache.counts() == {new: 1, ready: 1}
    cache.put(resource("b", version=1))  # an older version arrives late
    assert cache.counts() == {new: 1, ready: 1}
    cache.update_if_present(resource("a", version=3, **FACETS["ready"][0]))
    assert cache.counts() == {ready: 2}
    cache.forget(resource("a").key)
    cache.forget(resource("b").key)
    assert cache.counts() == {}, "what is counted by nothing leaves nothing behind"


def test_gauges_over_resources_are_computed_at_each_scrape(cache: ResourceCache) -> None:
    assert value("processing_problems") == 0
    cache.put(resource("a", **FACETS["a processing problem"][0]))
    cache.put(resource("b", **FACETS["stalled"][0]))
    cache.put(resource("c", **FACETS["ready"][0]))
    assert value("resources", status="Ready", reason="Enabled") == 2
    assert value("resources", status="Stalled", reason="Conflict") == 1
    assert value("mappings", state="Enabled", source="sqs") == 2
    assert value("mappings", state="None", source="sqs") == 1
    assert value("processing_problems") == value("out_of_sync") == 1
    assert value("paused") == 0
    assert value("deletions_held") == 5


def test_work_queue_sweeps_and_rate_limiter_are_reported_by_priority_and_target(cache: ResourceCache) -> None:
    assert value("workqueue_depth", priority="edit") == 2
    assert value("active_workers", priority="edit") == 1
    assert value("workqueue_oldest_item_age_seconds", priority="edit") == 7.5
    assert value("workqueue_delayed") == 3
    assert value("sweep_age_seconds", **TARGET) == 61
    assert value("sweep_interval_seconds", **TARGET) == 60
    assert value("sweep_mappings", **TARGET) == 230
    rate_limiter = {
        name: value(f"aws_rate_limiter_{name}", **TARGET)
        for name in ("configured_rate", "current_rate", "tokens", "waiting_requests")
    }
    assert rate_limiter == {"configured_rate": 10, "current_rate": 2.5, "tokens": 1.5, "waiting_requests": 4}


def test_a_standby_has_no_series_of_resources(cache: ResourceCache) -> None:
    cache.put(resource())
    gauges.show_process(
        lambda: ProcessState(leading=False, other_operators=0, kubernetes_requests_limit=1, referenced_objects={})
    )
    gauges.show_term(None)
    told = {family.name for family in text_string_to_metric_families(generate_latest(REGISTRY).decode())}
    assert not told & {metric.name for metric in CATALOGUE.values() if metric.exposer is not Exposer.ALL}
    assert value("leader") == 0
    gauges.show_process(
        lambda: ProcessState(
            leading=True, other_operators=1, kubernetes_requests_limit=16, referenced_objects={("", "ConfigMap"): 7}
        )
    )
    assert value("referenced_objects", group="", kind="ConfigMap") == 7
    assert (value("leader"), value("other_operators")) == (1, 1)


def test_a_mapping_has_its_own_series_only_if_configured(cache: ResourceCache) -> None:
    cache.put(resource(**FACETS["a processing problem"][0]))
    orders = {"namespace": "shop", "name": "orders"}
    assert value("mapping_ready", **orders) == -1
    gauges.show_term(Term(cache, each=True).snapshot)
    assert value("mapping_ready", **orders) == 1
    assert value("mapping_processing_problem", **orders) == 1
    assert value("mapping_state", **orders, state="Enabled") == 1


@pytest.mark.parametrize("each", [False, True])
def test_ten_thousand_mappings_add_no_series_unless_configured(cache: ResourceCache, *, each: bool) -> None:
    generate_latest(REGISTRY)
    before = len(generate_latest(REGISTRY).splitlines())
    for number in range(10_000):
        cache.put(resource(f"mapping-{number}", **FACETS["ready"][0]))
    gauges.show_term(Term(cache, each=each).snapshot)
    took, text = list[float](), b""
    for _ in range(5):
        began = time.perf_counter()
        text = generate_latest(REGISTRY)
        took.append(time.perf_counter() - began)
    more = len(text.splitlines()) - before
    assert more >= 30_000 if each else more < 20
    assert each or min(took) < CHEAP


def test_the_catalogue_has_exactly_the_exposed_metrics(cache: ResourceCache) -> None:
    """Names, types and labels of all metrics that have a series in this test."""
    cache.put(resource())
    gauges.show_term(Term(cache, each=True).snapshot)
    counters.answered("ListTags", 0.1)
    counters.granted(ACCOUNT, REGION, RequestPriority.EDIT, 0.1)
    counters.place_in_use(ACCOUNT, REGION)
    counters.waited(RequestPriority.EDIT, 0.1)
    counters.reconciled(counters.ReconcileOutcome.SYNCED, 0.1)
    counters.KUBERNETES_REQUESTS.labels("GET", "200").inc()
    counters.KUBERNETES_REQUEST_SECONDS.labels("GET").observe(0.1)
    exposed: dict[str, tuple[str, frozenset[str]]] = {}
    for family in text_string_to_metric_families(generate_latest(REGISTRY).decode()):
        if family.name.startswith("esm_operator_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
            exposed[name] = (family.type, labels)
    assert exposed == {name: (one.kind, frozenset(one.labels)) for name, one in CATALOGUE.items()}


@pytest.mark.parametrize("name", CATALOGUE)
def test_names_and_meanings_follow_the_conventions(name: str) -> None:
    metric = CATALOGUE[name]
    assert name.endswith("_total") == (metric.kind is MetricType.COUNTER)
    assert name.endswith("_seconds") or metric.kind is not MetricType.HISTOGRAM
    assert metric.meaning.endswith(".")


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("EC2AccessDeniedException", None),
        ("arn:aws:sqs:eu-west-1:123456789012:orders", "Other"),
        ("123456789012", "Other"),
        ("account123456789012", "Other"),
        ("team-a/orders", "Other"),
    ],
)
def test_a_code_that_may_be_a_name_or_an_account_is_not_a_label(code: str, label: str | None) -> None:
    labels = {"operation": "ListTags", "code": label or code}
    before = max(0.0, value("aws_requests_total", **labels))
    counters.answered("ListTags", 0.0, ClientError({"Error": {"Code": code}}, "ListTags"))
    assert value("aws_requests_total", **labels) == before + 1


def test_invented_codes_do_not_displace_those_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_other_codes", set[str]())
    codes = [*(f"Invented{'X' * number}" for number in range(1, counters.MOST_OTHER_CODES + 10)), *counters.AWS_CODES]
    for code in codes:
        counters.answered("TagResource", 0.0, ClientError({"Error": {"Code": code}}, "TagResource"))
    series = {one.labels["code"] for one in samples("aws_requests_total") if one.labels["operation"] == "TagResource"}
    assert series >= counters.AWS_CODES
    assert len(series - counters.AWS_CODES - {"OK", "Other"}) == counters.MOST_OTHER_CODES


@pytest.mark.parametrize("service", ["lambda", "sts", "resourcegroupstaggingapi"])
def test_each_error_of_an_operation_has_series_of_its_own(service: str) -> None:
    model = get_session().get_service_model(service)
    called = OPERATIONS & {*model.operation_names}
    assert called
    shapes = [shape for name in called for shape in model.operation_model(name).error_shapes]
    assert {shape.error_code for shape in shapes if isinstance(shape, StructureShape)} <= counters.AWS_CODES


@pytest.mark.parametrize(("other", "remaining"), [(None, 0), ("444444444444", 0), (ACCOUNT, 2)])
def test_series_of_an_unused_account_are_removed(other: str | None, remaining: int) -> None:
    """A use of the same label keeps them: this account at another endpoint, or another account with this alias."""
    counters.place_in_use(ACCOUNT, "xx-unused-1")
    counters.granted(ACCOUNT, "xx-unused-1", RequestPriority.EDIT, 0.1)
    counters.place_unused(ACCOUNT, "xx-unused-1", [(other, "xx-unused-1")] if other else [(ACCOUNT, "xx-unused-2")])
    totals = ("aws_throttles_total", "aws_rate_limiter_requests_total")
    found = [one for name in totals for one in samples(name) if one.labels["region"] == "xx-unused-1"]
    assert len(found) == remaining
    counters.place_unused(ACCOUNT, "xx-unused-1", [])


def test_texts_that_others_have_written_to_a_status_are_not_labels() -> None:
    forged = resource(conditions={"Ready": FALSE}, reason="arn:aws:sqs:eu-west-1:1:bank", state="bank")
    assert forged.metric_labels == MetricLabels("sqs", "Other", "Reconciling", "Other", True, False, False)


def test_the_alias_of_an_account_is_the_one_in_the_documentation() -> None:
    assert accounts.label(ACCOUNT) == accounts.alias(ACCOUNT) == "2a3334"


def test_the_id_of_an_account_is_a_label_only_if_it_is_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_shown", True)
    assert accounts.label(ACCOUNT) == ACCOUNT
    assert accounts.label("team-a/orders") == accounts.alias("team-a/orders")


async def test_metrics_are_served_without_names_and_accounts(cache: ResourceCache) -> None:
    cache.put(resource())
    text = await _scraped()
    assert ACCOUNT not in text
    assert "arn:" not in text
    assert "orders" not in text


async def test_all_processes_serve_metrics() -> None:
    text = await _scraped()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE esm_operator_")}
    assert names == {name for name, metric in CATALOGUE.items() if metric.exposer is Exposer.ALL}
    assert "_created" not in text


async def _scraped() -> str:
    port = free_port()
    server = MetricsServer(f"127.0.0.1:{port}")
    await server.start()
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=30).read().decode())
    finally:
        await server.stop()
    return text
