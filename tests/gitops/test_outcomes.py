"""Whatever comes of a resource, kstatus and Argo CD understand it as in the table of verdicts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from esm_operator.api import reasons
from esm_operator.api.recorded_status import Applied, MappingReport, MappingStatus
from esm_operator.aws.error_table import TABLE
from esm_operator.planning import actions, plan
from esm_operator.status import messages
from esm_operator.status.conditions import PERMISSION_PATIENCE, Outcome, Verdict, render
from esm_operator.status.failure import Failure
from esm_operator.status.subject import Subject
from tests.gitops.verdicts import Health, health
from tests.unit.plan_cases import CASES

NOW = "2026-01-01T00:00:00Z"
GENERATION = 3
PAUSED = "lambda.esm-operator.io/paused"
#: Argo CD's word for each of kstatus's.
ARGO_CD = {"Current": "Healthy", "InProgress": "Progressing", "Failed": "Degraded", "Terminating": "Progressing"}
#: The status that the CRD gives to an object that no operator has seen.
UNSEEN = {"observedGeneration": -1}


@dataclass(frozen=True, slots=True)
class Case:
    """An outcome, and whether the resource is being deleted."""

    what: str
    outcome: Outcome
    deleting: bool = False

    @property
    def words(self) -> tuple[str, str]:
        """The verdicts that kstatus and Argo CD shall have."""
        word = "Terminating" if self.deleting else self.outcome.verdict.value[3]
        held = word == "InProgress" and self.outcome.reason == "Paused"
        return word, "Suspended" if held else ARGO_CD[word]


def of_the_plan() -> Iterator[Case]:
    """What each case of the planner's table ends in, if it is a rest."""
    for name, (desired, view, _) in CASES.items():
        action = plan.plan(desired, view)
        if isinstance(action, actions.Rest):
            yield Case(name, messages.outcome(desired, action, view.mapping, {}, Subject()), desired.deleting)


def of_refusals() -> Iterator[Case]:
    """What AWS can refuse."""
    for row in TABLE:
        failure = Failure(row.reason, row.disposition, case=row.case, values={"action": "lambda:TagResource"})
        yield Case(f"refused: {row.reason}", messages.outcome_of_failure(failure, Subject()))


def of_all_reasons() -> Iterator[Case]:
    """Every reason with every verdict, deleted or not, whether or not the operator can come to it today."""
    for reason in sorted(_members(reasons.OutcomeReason)):
        for verdict in Verdict:
            if verdict is not Verdict.TERMINATING:
                yield Case(f"{reason}: {verdict.name}", Outcome(verdict, reason, "A sentence."))
            yield Case(f"{reason}: {verdict.name}, deleted", Outcome(verdict, reason, "A sentence."), deleting=True)


def _members(of: Any) -> set[Any]:
    """The words of a Literal, or of a union of such."""
    return {word for part in get_args(of) for word in (_members(part) or {part})}


ALL = [*of_the_plan(), *of_refusals(), *of_all_reasons()]


def rendered(
    outcome: Outcome, generation: int = GENERATION, *, mapping: dict[str, Any] | None = None, uuid: str = ""
) -> dict[str, Any]:
    status = render(
        MappingStatus(),
        generation=generation,
        outcome=outcome,
        mapping=MappingReport.of_answer(mapping) if mapping is not None else None,
        tags=None,
        applied=Applied(),
        uuid=uuid,
        gone=False,
        requested="",
        now=NOW,
        lacking_for=PERMISSION_PATIENCE,
    )
    return status.render()


def resource(status: dict[str, Any] | None, *, deleting: bool = False, paused: str | None = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "orders", "generation": GENERATION}
    if paused is not None:
        metadata["annotations"] = {PAUSED: paused}
    if deleting:
        metadata["deletionTimestamp"] = NOW
    found = {"apiVersion": "lambda.esm-operator.io/v1", "kind": "EventSourceMapping", "metadata": metadata, "spec": {}}
    return found if status is None else {**found, "status": status}


def test_the_table_has_outcomes_of_all_kinds() -> None:
    met = {case.outcome.verdict for case in (*of_the_plan(), *of_refusals())}
    assert met == set(Verdict)
    assert "Paused" in {case.outcome.reason for case in of_the_plan()}


def test_every_outcome_is_understood() -> None:
    found = health(resource(rendered(case.outcome), deleting=case.deleting) for case in ALL)
    wrong = {
        case.what: (got.words, case.words) for case, got in zip(ALL, found, strict=True) if got.words != case.words
    }
    assert not wrong, f"{{case: (their verdicts, the right verdicts)}}: {wrong}"


def test_their_messages_are_ours() -> None:
    found = health(resource(rendered(case.outcome)) for case in ALL)
    for case, got in zip(ALL, found, strict=True):
        assert got.argocd_message.startswith(case.outcome.message), case
        if got.kstatus in ("InProgress", "Failed"):
            assert got.kstatus_message == case.outcome.message, case


def test_an_edit_that_the_operator_has_not_seen_is_in_progress() -> None:
    found = health(resource(rendered(case.outcome, GENERATION - 1)) for case in ALL)
    assert {got.words for got in found} == {("InProgress", "Progressing")}
    assert all("has not seen" in got.argocd_message for got in found)


@pytest.mark.parametrize(
    ("status", "deleting", "words"),
    [
        (UNSEEN, False, ("InProgress", "Progressing")),
        (UNSEEN, True, ("Terminating", "Progressing")),
        # No CRD of ours lets it come to this; kstatus takes what has no status for done, and Argo CD must not.
        (None, False, ("Current", "Progressing")),
        ({"observedGeneration": GENERATION}, False, ("Current", "Progressing")),
    ],
)
def test_one_that_the_operator_has_never_seen(
    status: dict[str, Any] | None, deleting: bool, words: tuple[str, str]
) -> None:
    assert only(resource(status, deleting=deleting)).words == words


@pytest.mark.parametrize("value", ["true", "True", "yes", "because of the audit"])
@pytest.mark.parametrize(
    ("verdict", "reason", "word"),
    [
        (Verdict.READY, "Enabled", "Suspended"),
        (Verdict.IN_PROGRESS, "Paused", "Suspended"),
        (Verdict.STALLED, "Conflict", "Degraded"),
        (Verdict.IN_PROGRESS, "Creating", "Progressing"),
    ],
)
def test_what_is_paused_is_suspended(value: str, verdict: Verdict, reason: Any, word: str) -> None:
    """But not so that it hides what is wrong, or under way."""
    status = rendered(Outcome(verdict, reason, "A sentence.", synced=True))
    assert only(resource(status, paused=value)).argocd == word


@pytest.mark.parametrize("value", ["", "false", "False", "no", "off", "0"])
def test_what_is_not_paused_any_more_is_healthy(value: str) -> None:
    status = rendered(Outcome(Verdict.READY, "Enabled", "A sentence.", synced=True))
    assert only(resource(status, paused=value)).argocd == "Healthy"


def test_ready_with_a_problem_shows_both() -> None:
    outcome = Outcome(Verdict.READY, "Observed", "It is watched.", synced=False, sync_message="AWS differs.")
    mapping = {"LastProcessingResult": "PROBLEM: Function call failed"}
    status = rendered(outcome, mapping=mapping, uuid="1")
    got = only(resource(status))
    assert got.words == ("Current", "Healthy")
    assert got.argocd_message.startswith('It is watched. Synced: AWS differs. Processing: Lambda reports "PROBLEM: ')


def test_a_script_that_fails_is_reported(tmp_path: Path) -> None:
    """The basis of the tests: a slip in the health check is not taken for health."""
    script = tmp_path / "health.lua"
    ready = resource(rendered(Outcome(Verdict.READY, "Enabled", "A sentence.", synced=True)))
    for text in ("return obj.status.nothing.there", "return 1", 'return {status = "Fine"}', "while true do end"):
        script.write_text(text)
        assert health([ready], script)[0].argocd == "Unknown", text
    script.write_text('return {status = "Healthy", message = string.lower("A")}')
    assert health([ready], script)[0].argocd == "Unknown", "Argo CD has no strings for scripts"


def only(found: dict[str, Any]) -> Health:
    (got,) = health([found])
    return got
