"""The alerts: what Prometheus' own tools say of them, and whether each has all that it needs."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from esm_operator.metrics.catalogue import CATALOGUE
from tests.controlplane.assets import find
from tests.monitoring.prometheus import ALERTS
from tests.monitoring.queries import exposed, mistakes, names

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).with_name("alerts_test.yaml")
RUNBOOKS = ROOT / "docs" / "how-to" / "runbooks"
RULES: Mapping[str, Mapping[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
}
HEADINGS = ["What it means", "What to look at", "What to do"]


def promtool(*arguments: str | Path) -> str:
    """What promtool says; it must be content."""
    ran = subprocess.run([find("promtool"), *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def expectations(alert: str) -> set[bool]:
    """Whether it must fire, in the cases of an alert."""
    asked = f'alertname="{alert}"'
    checks = [
        check
        for case in yaml.safe_load(CASES.read_text())["tests"]
        for check in case["promql_expr_test"]
        if asked in check["expr"]
    ]
    return {bool(check["exp_samples"]) for check in checks}


def test_promtool_takes_them() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)


def test_each_fires_when_it_must_and_not_when_it_must_not() -> None:
    assert "SUCCESS" in promtool("test", "rules", CASES)


def test_an_alert_that_never_fires_is_found_out(tmp_path: Path) -> None:
    """The cases are no mere decoration."""
    rules = yaml.safe_load(ALERTS.read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        rule["expr"] = "vector(0) > 1"
    (tmp_path / "never.yaml").write_text(yaml.safe_dump(rules))
    cases = CASES.read_text().replace("../../helm/esm-operator/files/alerts.yaml", "never.yaml")
    (tmp_path / "cases.yaml").write_text(cases)
    ran = subprocess.run(
        [find("promtool"), "test", "rules", tmp_path / "cases.yaml"], capture_output=True, text=True, check=False
    )
    assert ran.returncode != 0
    said = ran.stdout + ran.stderr
    assert {alert for alert in RULES if f'alertname=\\"{alert}\\"' not in said} == set()


@pytest.mark.parametrize("alert", RULES)
def test_each_has_a_case_of_both(alert: str) -> None:
    assert expectations(alert) == {True, False}


@pytest.mark.parametrize("alert", RULES)
def test_each_asks_for_what_there_is(alert: str) -> None:
    assert names(RULES[alert]["expr"])
    assert mistakes(RULES[alert]["expr"]) == []


@pytest.mark.parametrize("alert", RULES)
def test_each_says_what_is_wrong_and_where_to_read_on(alert: str) -> None:
    rule = RULES[alert]
    assert alert.startswith("EsmOperator")
    assert rule["labels"]["severity"] in ("critical", "warning")
    texts = rule["annotations"]
    assert texts.keys() == {"summary", "description", "runbook"}, "a chart's value adds runbook_url"
    assert texts["summary"].endswith(".")
    assert texts["description"].endswith(".")
    page = ROOT / texts["runbook"]
    assert page == RUNBOOKS / f"{alert}.md"
    text = page.read_text()
    assert text.startswith(f"# {alert}\n\nSeverity: {rule['labels']['severity']}.\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert f"[{alert}]({alert}.md)" in (RUNBOOKS / "README.md").read_text()


def test_there_is_no_page_without_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"} == set(RULES)


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_the_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert (page.parent / link).exists(), link
    for query in re.findall(r"```promql\n(.*?)```", text, re.DOTALL):
        assert [wrong for line in query.splitlines() for wrong in mistakes(line)] == []
    assert names(text) <= exposed().keys() | CATALOGUE.keys()
