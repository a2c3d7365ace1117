"""The metrics as Prometheus scrapes them."""

import asyncio
import urllib.request

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from prometheus_client import REGISTRY, generate_latest

from esm_operator.telling import metrics
from esm_operator.telling.probes import Probes


def value(name: str, **labels: str) -> float:
    """What a scrape would say now; 0 where the series is not there yet."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("kind", metrics.Drift)
def test_drift_is_counted_by_kind_and_starts_at_zero(kind: metrics.Drift) -> None:
    assert f'esm_operator_drift_corrected_total{{kind="{kind}"}}' in generate_latest(REGISTRY).decode()
    before = value("esm_operator_drift_corrected_total", kind=kind)
    metrics.DRIFT_CORRECTED.labels(kind).inc()
    assert value("esm_operator_drift_corrected_total", kind=kind) == before + 1


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
    before = value("esm_operator_aws_requests_total", **labels)
    metrics.count_request("GetEventSourceMapping", error)
    assert value("esm_operator_aws_requests_total", **labels) == before + 1


def test_gauges_over_resources_are_asked_at_each_scrape() -> None:
    held: list[str] = []
    metrics.watch(processing_problems=lambda: 3, deletions_held=lambda: len(held))
    assert value("esm_operator_processing_problems") == 3
    held.extend(["a", "b"])
    assert value("esm_operator_deletions_held") == 2


async def test_they_are_served_beside_the_probes() -> None:
    probes = Probes("127.0.0.1:0", lambda: True)
    await probes.start()
    try:
        url = f"http://127.0.0.1:{probes.port}/metrics"
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=30).read().decode())
    finally:
        await probes.stop()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE esm_operator_")}
    assert names == {
        "esm_operator_leader",
        "esm_operator_drift_corrected_total",
        "esm_operator_processing_problems",
        "esm_operator_deletions_held",
        "esm_operator_aws_requests_total",
        "esm_operator_reconciles_total",
    }
    assert "_created" not in text
