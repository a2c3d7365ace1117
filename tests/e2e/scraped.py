"""The metrics of a running operator, as Prometheus scrapes them."""

import urllib.request
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from tests.operator_process import OperatorProcess

Series = tuple[str, frozenset[tuple[str, str]]]


def scrape(operator: OperatorProcess) -> dict[Series, float]:
    """All series of the operator."""
    with urllib.request.urlopen(operator.metrics_url, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("esm_operator_")
    }


def reader(operator: OperatorProcess) -> Callable[..., float]:
    """The current value of a series. -1: the series does not exist."""

    def read(name: str, /, **labels: str) -> float:
        return scrape(operator).get((f"esm_operator_{name}", frozenset(labels.items())), -1.0)

    return read
