"""Annotations with the operator's prefix that have no effect, and the report about them."""

from typing import Any

import pytest

from esm_operator.api.annotations import (
    ALLOW_TAKEOVER_BY,
    INTENT,
    MOST_ALLOWED,
    MOST_REPORTED,
    ORPHAN,
    PAUSED,
    PREFIX,
    RECONCILE_AT,
    allowed_takers,
    explain,
    explained,
    unknown_annotations,
)
from esm_operator.api.resource import FINALIZER, Key, is_same_work, parse


@pytest.mark.parametrize(
    "name",
    [
        INTENT,
        PAUSED,
        ORPHAN,
        RECONCILE_AT,
        "kubectl.kubernetes.io/last-applied-configuration",
        "example.com/paused",
        "paused",
        "x.lambda.esm-operator.io/paused",
        "esm-operator.io/name",
    ],
)
def test_known_annotations_and_those_of_others_are_not_reported(name: str) -> None:
    assert unknown_annotations({name: "true"}) == ()


def test_unknown_annotations_are_reported_in_alphabetical_order() -> None:
    found = unknown_annotations({f"{PREFIX}pause": "true", PAUSED: "true", f"{PREFIX}let-go": "true"})
    assert found == (f"{PREFIX}let-go", f"{PREFIX}pause")


def test_the_report_of_one_resource_is_bounded() -> None:
    found = unknown_annotations({f"{PREFIX}x{number:04d}": "" for number in range(4000)})
    assert len(found) == MOST_REPORTED
    assert sum(len(explain(name)) for name in found) < 32_768, "the longest message of a condition"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("let-go", f"It is called {ORPHAN} now. Rename it, or remove it."),
        ("pause", f"Did you mean {PAUSED}? Rename it, or remove it."),
        ("Paused", f"Did you mean {PAUSED}? Rename it, or remove it."),
        ("orphaned", f"Did you mean {ORPHAN}? Rename it, or remove it."),
        ("reconcile", f"Did you mean {RECONCILE_AT}? Rename it, or remove it."),
        ("reconcileAt", f"Did you mean {RECONCILE_AT}? Rename it, or remove it."),
        ("allow-take-over-by", f"Did you mean {ALLOW_TAKEOVER_BY}? Rename it, or remove it."),
        (
            "mapping",
            f"Known annotations are {ALLOW_TAKEOVER_BY}, {ORPHAN}, {PAUSED} and {RECONCILE_AT}. Use one of these, or "
            "remove it.",
        ),
    ],
)
def test_the_report_names_the_annotation_the_nearest_known_one_and_the_remedy(name: str, remedy: str) -> None:
    assert explain(PREFIX + name) == (
        f"The annotation {PREFIX}{name} has no effect, because this version of the operator does not know it. {remedy}"
    )


@pytest.mark.parametrize(
    ("text", "takers"),
    [
        ("", set()),
        (" ", set()),
        ("bank/ledger", {("bank", "ledger")}),
        (" bank/ledger ,shop/orders.v2", {("bank", "ledger"), ("shop", "orders.v2")}),
        (",".join(f"bank/x{number}" for number in range(MOST_ALLOWED)), None),
    ],
)
def test_a_consent_names_resources(text: str, takers: set[tuple[str, str]] | None) -> None:
    found = allowed_takers(text)
    assert found is not None
    assert len(found) == MOST_ALLOWED if takers is None else found == takers
    assert unknown_annotations({ALLOW_TAKEOVER_BY: text}) == ()


@pytest.mark.parametrize(
    "text",
    [
        "ledger",
        "bank/",
        "/ledger",
        "*",
        "*/*",
        "bank/*",
        "bank/ledger,",
        "bank/ledger;shop/orders",
        "cluster/bank/ledger",
        "Bank/ledger",
        "bank.x/ledger",
        "bank/ledger,*/*",
        ",".join(f"bank/x{number}" for number in range(MOST_ALLOWED + 1)),
    ],
)
def test_an_invalid_consent_allows_nobody_and_is_reported(text: str) -> None:
    assert allowed_takers(text) is None
    assert resource(annotations={ALLOW_TAKEOVER_BY: text}).consents_to == frozenset()
    assert resource(annotations={ALLOW_TAKEOVER_BY: text}).unknown_annotations == (ALLOW_TAKEOVER_BY,)
    told = explain(ALLOW_TAKEOVER_BY)
    assert "Write NAMESPACE/NAME" in told
    assert explained(told) == (ALLOW_TAKEOVER_BY,)


def test_another_consent_needs_a_reconcile() -> None:
    without, one = resource(), resource(annotations={ALLOW_TAKEOVER_BY: "bank/ledger"})
    assert one.consents_to == {Key("bank", "ledger")}
    assert not is_same_work(without, one)
    assert is_same_work(one, resource(annotations={ALLOW_TAKEOVER_BY: " bank/ledger "}))


def test_a_report_is_read_back() -> None:
    names = tuple(f"{PREFIX}{name}" for name in ("let-go", "pause", "what.ever_else"))
    assert explained(" ".join(map(explain, names))) == names
    assert explained("") == ()


def resource(*, annotations: dict[str, str] | None = None, conditions: list[dict[str, Any]] | None = None) -> Any:
    metadata = {"namespace": "shop", "name": "orders", "uid": "1", "resourceVersion": "1", "generation": 1}
    return parse(
        {
            "metadata": {**metadata, "annotations": annotations or {}, "finalizers": [FINALIZER, f"{PREFIX}in-use"]},
            "spec": {"functionName": "orders"},
            "status": {"conditions": conditions or []},
        }
    )


def test_a_resource_lists_its_unknown_annotations_without_finalizers() -> None:
    assert resource().unknown_annotations == ()
    assert resource(annotations={f"{PREFIX}pause": "true"}).unknown_annotations == (f"{PREFIX}pause",)


def test_another_unknown_annotation_needs_a_reconcile_and_another_value_does_not() -> None:
    without, one = resource(), resource(annotations={f"{PREFIX}pause": "true"})
    assert not is_same_work(without, one)
    assert is_same_work(one, resource(annotations={f"{PREFIX}pause": "false"}))


def test_the_report_of_another_operator_needs_no_reconcile() -> None:
    """Otherwise two operators of different versions would overwrite each other's reports forever."""
    ready = {"type": "Ready", "status": "True"}
    report = {"type": "UnknownAnnotations", "status": "True", "message": explain(f"{PREFIX}pause")}
    assert is_same_work(resource(conditions=[ready]), resource(conditions=[ready, report]))
    assert not is_same_work(resource(conditions=[ready]), resource(conditions=[{**ready, "status": "False"}]))
    assert resource(conditions=[ready, report]).status.unknown_annotations == (f"{PREFIX}pause",)
