"""Reads numbers out of what Prometheus would scrape, without the cost of understanding all of it."""

import re
from collections.abc import Iterator, Mapping

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def series(text: str, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """The labels and the value of each series of a metric.

    Args:
        text: in the text format of Prometheus.
        name: the metric's full name, such as ``esm_operator_reconciles_total``.
    """
    for line in text.splitlines():
        if line.startswith(name) and line[len(name) : len(name) + 1] in ("{", " "):
            labels, value = line[len(name) :].rsplit(" ", 1)
            yield dict(_LABEL.findall(labels)), float(value)
