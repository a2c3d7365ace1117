"""A Prometheus server that scrapes operators, and its queries."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from tests.controlplane.assets import find
from tests.controlplane.processes import GuardedProcess
from tests.operator_process import free_port
from tests.waiting import eventually

ALERTS = Path(__file__).resolve().parents[2] / "helm" / "esm-operator" / "files" / "alerts.yaml"
#: The labels of targets in a cluster with a ServiceMonitor.
JOB, NAMESPACE = "esm-operator", "esm-operator"

Labels = Mapping[str, str]
Points = list[tuple[float, float]]


class QueryError(Exception):
    """Prometheus refused a query. The text has the reason."""


class Prometheus:
    """Prometheus with the alerts of the chart. It ends with this process, in whatever way."""

    def __init__(self, *, interval: float) -> None:
        """
        Args:
            interval: seconds between two scrapes, and between two evaluations of the alerts.
        """
        self.interval = interval
        self._exits = ExitStack()
        self._folder = Path(self._exits.enter_context(TemporaryDirectory(prefix="esm-operator-prometheus-")))
        self._targets = self._folder / "targets.json"
        self._url = ""

    def __enter__(self) -> Self:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self.scrape({})
        every = f"{round(1000 * self.interval)}ms"
        configuration = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [
                {
                    "job_name": JOB,
                    "file_sd_configs": [{"files": [str(self._targets)], "refresh_interval": "1s"}],
                }
            ],
        }
        file, log = self._folder / "prometheus.yml", self._folder / "prometheus.log"
        file.write_text(yaml.safe_dump(configuration))
        command = [
            find("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        process = GuardedProcess(command, log=log)
        self._exits.callback(process.stop)
        try:
            self._wait_until_ready(process)
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.close()

    def scrape(self, operators: Mapping[str, str]) -> None:
        """Scrape these operators from now on.

        Args:
            operators: the URLs of their metrics, by the name of the pod.
        """
        groups = [
            {
                "targets": [urlsplit(url).netloc],
                "labels": {"namespace": NAMESPACE, "pod": pod, "instance": pod},
            }
            for pod, url in operators.items()
        ]
        fresh = self._targets.with_suffix(".new")
        fresh.write_text(json.dumps(groups))
        fresh.rename(self._targets)

    def now(self, query: str) -> list[tuple[Labels, float]]:
        """The current result of a query."""
        return [(one["metric"], float(one["value"][1])) for one in self._ask("query", query=query)["result"]]

    def over(self, query: str, start: float, end: float, step: float) -> list[tuple[Labels, Points]]:
        """The result of a query over a time span.

        Args:
            query: the query in PromQL.
            start: the start of the span, in seconds of the epoch.
            end: the end of the span.
            step: seconds between two points.
        """
        answer = self._ask("query_range", query=query, start=start, end=end, step=step)
        return [(one["metric"], [(at, float(value)) for at, value in one["values"]]) for one in answer["result"]]

    def rules(self) -> Sequence[Mapping[str, Any]]:
        """The alerts, with the result of their last evaluation."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def label_values(self, label: str, series: str) -> list[str]:
        """The values of a label in some series."""
        return self._ask(f"label/{label}/values", **{"match[]": series})

    def _ask(self, what: str, **parameters: Any) -> Any:
        address = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{parameters}: {error.read().decode()}") from error

    def _wait_until_ready(self, process: GuardedProcess) -> None:
        def is_ready() -> bool:
            process.check()
            try:
                with urllib.request.urlopen(f"{self._url}/-/ready", timeout=2):
                    return True
            except OSError:
                return False

        eventually(is_ready, "Prometheus is ready", every=0.05, error=TimeoutError)
