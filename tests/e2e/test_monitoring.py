"""A real Prometheus scrapes a leader and a standby: every panel of the dashboard and every alert has data."""

import math
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import HERE, queue, stream
from tests.monitoring.dashboard import ALL, Query, load, panels
from tests.monitoring.prometheus import JOB, NAMESPACE, Prometheus
from tests.waiting import eventually

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "runbooks"
INTERVAL = 1.0
LEAVING = ("a", "b", "c", "d")
Sample = tuple[Mapping[str, str], float]


def value(prometheus: Prometheus, query: str) -> float:
    """The one value that a query answers now; -1 where it answers none."""
    answer = prometheus.now(query)
    assert len(answer) <= 1, answer
    return answer[0][1] if answer else -1.0


def has_data(prometheus: Prometheus, query: Query, since: float) -> bool:
    """Whether a query has answered a number at some moment."""
    series = prometheus.over(query.text, since, time.time(), INTERVAL)
    return any(math.isfinite(value) for _, points in series for _, value in points)


def trouble(bed: Bed) -> None:
    """Mappings that are ready, stalled, waiting, paused, changed by others, with a problem; AWS throttles and fails."""
    bed.control.make_mapping(FunctionName="taken", EventSourceArn=f"arn:aws:sqs:{HERE}:taken", region="eu-west-1")
    bed.control.fault(FaultKind.ROLE_LACKS_PERMISSION, "CreateEventSourceMapping", match={"FunctionName": "waiting"})
    paused = queue("paused")
    paused["metadata"]["annotations"] = {"lambda.esm-operator.io/paused": "true"}
    bed.apply(queue(batchSize=5), stream("clicks"), queue("taken"), queue("waiting"), paused, *map(queue, LEAVING))
    for name in ("orders", "clicks", *LEAVING):
        bed.wait_ready(name)
    bed.wait_condition("taken", "Stalled", "True", "Conflict")
    bed.control.edit_mapping(bed.mapping("clicks")["UUID"], LastProcessingResult="PROBLEM: Function call failed")
    bed.control.edit_mapping(bed.mapping("orders")["UUID"], BatchSize=9)
    bed.control.fault(FaultKind.THROTTLE, "ListEventSourceMappings", times=3)
    bed.control.fault(FaultKind.CLOSE, "ListEventSourceMappings", after=1, times=1)
    for name in LEAVING:
        bed.delete(name)


@pytest.fixture
def scene(bed: Bed) -> tuple[Bed, dict[str, str]]:
    """A leader and a standby, by the names of their pods."""
    environment = {"ESM_OPERATOR_LEASE_NAME": bed.namespace}
    arguments = ("--sweep-interval=1", "--deletions-per-minute=1")
    operators = [bed.operator(*arguments, environment=environment) for _ in range(2)]
    return bed, {f"esm-operator-{number}": operator.metrics_url for number, operator in enumerate(operators)}


def test_every_panel_and_every_alert_has_data(scene: tuple[Bed, dict[str, str]]) -> None:
    bed, operators = scene
    since = time.time()
    with Prometheus(interval=INTERVAL) as prometheus:
        prometheus.scrape(operators)
        eventually(lambda: value(prometheus, "count(esm_operator_build_info)") == 2)
        trouble(bed)
        eventually(lambda: value(prometheus, "sum(esm_operator_aws_throttles_total)") == 3)
        eventually(lambda: value(prometheus, "sum(increase(esm_operator_drift_corrected_total[1h]))") >= 1)

        counts_once(prometheus)
        alerts_tell(prometheus)
        dashboard_shows(prometheus, since)
        runbooks_ask(prometheus)


def counts_once(prometheus: Prometheus) -> None:
    """The standby knows all resources, and shows none."""
    eventually(lambda: value(prometheus, 'sum(esm_operator_resources{reason="Conflict"})') == 1)
    eventually(lambda: value(prometheus, "sum(esm_operator_processing_problems)") == 1)
    eventually(lambda: value(prometheus, "sum(esm_operator_deletions_held)") >= 1)
    assert value(prometheus, "sum(esm_operator_leader)") == 1
    assert value(prometheus, "sum(esm_operator_paused)") == 1
    assert {labels["pod"] for labels, _ in prometheus.now("esm_operator_resources")} == {
        labels["pod"] for labels, leads in prometheus.now("esm_operator_leader") if leads
    }


def alerts_tell(prometheus: Prometheus) -> None:
    """All are evaluated; those that the trouble is worth begin, with texts that are filled in."""
    wanted = {"EsmOperatorMappingsStalled", "EsmOperatorMappingsNotReady", "EsmOperatorProcessingProblems"}

    def begun() -> set[str]:
        return {rule["name"] for rule in prometheus.rules() if rule["state"] != "inactive"}

    eventually(lambda: begun() >= wanted | {"EsmOperatorDeletionsHeld"}, what="the alerts begin")
    rules = prometheus.rules()
    assert [rule["lastError"] for rule in rules if rule.get("lastError")] == []
    assert {rule["health"] for rule in rules} == {"ok"}
    silent = {"EsmOperatorAbsent", "EsmOperatorNoLeader", "EsmOperatorTwoLeaders", "EsmOperatorReconcileFailing"}
    assert not silent & begun()
    texts = [text for rule in rules for alert in rule["alerts"] for text in alert["annotations"].values()]
    assert len(texts) >= 3 * len(wanted)
    assert not [text for text in texts if "{{" in text or "<no value>" in text or "error" in text]


def dashboard_shows(prometheus: Prometheus, since: float) -> None:
    """Every query of every panel has data, with all values of the variables chosen and with single ones."""
    dashboard = load()
    chosen = {"cluster": ".*", "namespace": NAMESPACE, "job": JOB}
    for name in ("namespace", "job"):
        assert prometheus.label_values(name, "esm_operator_build_info") == [chosen[name]]
    for values in (ALL, chosen):
        for panel in panels(dashboard, values, interval=INTERVAL, span=60):
            for query in panel.queries:
                shown = f"{panel.title}: {query.text}"
                eventually(lambda query=query: has_data(prometheus, query, since), shown)


def runbooks_ask(prometheus: Prometheus) -> None:
    """Every query of the runbooks is one."""
    asked: Sequence[str] = [
        line
        for page in RUNBOOKS.glob("*.md")
        for block in re.findall(r"```promql\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(asked) > 15
    for query in asked:
        prometheus.now(query)
