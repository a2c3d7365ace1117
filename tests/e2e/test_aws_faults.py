"""Failures of AWS: the resource reports them, and has exactly one mapping at the end."""

from collections import Counter
from typing import Any

import pytest

from tests.aws import FaultKind
from tests.bed import WRITES, Bed
from tests.e2e.back_off import NOT_DELAYED, RETRY_AFTER
from tests.e2e.manifests import queue
from tests.waiting import eventually

SWEEP = "ListEventSourceMappings"


@pytest.fixture(autouse=True)
def tags_are_late(bed: Bed) -> None:
    """In addition to each fault, the tags of a Create become visible seconds after the mapping."""
    bed.control.set(tag_delay=3.0)


@pytest.mark.long
def test_throttling_for_a_minute_is_reported_and_survived(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue("known", batchSize=5))
    bed.wait_ready("known")
    bed.control.fault(FaultKind.THROTTLE, for_seconds=60)
    names = [f"orders-{number}" for number in range(8)]
    bed.apply(*(queue(name) for name in names))
    bed.patch("known", {"batchSize": 7})
    told = bed.wait_condition("known", "Ready", "False", "Throttled")
    assert "quota is used up" in told["message"]
    for name in (*names, "known"):
        bed.wait_ready(name)

    refused = Counter(one["outcome"] for one in bed.control.requests(2000))["TooManyRequestsException"]
    assert refused <= 60, "it slows down: at the full rate it would be 600"
    assert bed.mapping("known")["BatchSize"] == 7
    assert bed.functions() == Counter([*names, "known"])
    assert all("Throttled" not in bed.events(name) for name in names), "it passes by itself, and is no warning"


def test_the_operator_obeys_retry_after(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    bed.control.fault(FaultKind.THROTTLE, "UpdateEventSourceMapping", times=1, retry_after="5")
    bed.patch("orders", {"batchSize": 5})
    bed.wait_ready("orders")
    log = bed.control.requests(2000)
    at = next(one["time"] for one in log if one["outcome"] == "TooManyRequestsException")
    assert [one["operation"] for one in log if at + 0.5 < one["time"] < at + 4.9] == []


def test_failures_of_aws_are_reported_and_survived(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue("edited", batchSize=5), queue("deleted"), queue("tagged"))
    for name in ("edited", "deleted", "tagged"):
        bed.wait_ready(name)

    fault = bed.control.fault(FaultKind.SERVICE_EXCEPTION)
    bed.apply(queue("made"))
    bed.patch("edited", {"batchSize": 7})
    bed.patch("tagged", {"tags": {"team": "shop"}})
    bed.delete("deleted")
    for name in ("made", "edited", "tagged"):
        told = bed.wait_condition(name, "Ready", "False", "AWSUnavailable")
        assert "The operator retries automatically" in told["message"]
        assert bed.condition(name, "Stalled")["status"] == "False"
    bed.wait_condition("deleted", "Reconciling", "True", "AWSUnavailable")
    bed.control.remove_fault(fault)

    bed.wait_gone("deleted")
    for name in ("made", "edited", "tagged"):
        bed.wait_ready(name)
    assert bed.functions() == Counter(["made", "edited", "tagged"])
    assert bed.mapping("edited")["BatchSize"] == 7
    assert bed.mapping("tagged")["Tags"]["team"] == "shop"


def test_requests_that_take_effect_late_leave_one_mapping(bed: Bed) -> None:
    """AWS carries out a request only after the operator has abandoned and repeated it."""
    bed.operator("--sweep-interval=2")
    bed.apply(queue("edited", batchSize=5), queue("twice", batchSize=5), queue("deleted"), queue("tagged"))
    for name in ("edited", "twice", "deleted", "tagged"):
        bed.wait_ready(name)

    for operation in (*sorted(WRITES - {"UntagResource"}), "UpdateEventSourceMapping", "GetEventSourceMapping", SWEEP):
        bed.control.fault(FaultKind.DELAY, operation, times=1, seconds=7.0)
    bed.apply(queue("made"))
    bed.delete("deleted")
    bed.patch("edited", {"batchSize": 7})
    bed.patch("twice", {"batchSize": 6})
    bed.patch("tagged", {"tags": {"team": "shop"}})
    told = bed.wait_condition("twice", "Ready", "False", "AWSUnreachable")
    assert "timeout" in told["message"].lower()
    assert "Check the network" in told["message"]
    bed.patch("twice", {"batchSize": 7})

    eventually(lambda: not bed.control.faults(), what="all late answers are under way")
    bed.wait_gone("deleted")
    arrived = dict(bed.calls())
    eventually(lambda: answered(bed, WRITES) >= sum(arrived.get(one, 0) for one in WRITES), what="all are answered")
    for name in ("made", "edited", "twice", "tagged"):
        bed.wait_ready(name)
    for name in ("edited", "twice"):
        eventually(lambda name=name: bed.mapping(name)["BatchSize"] == 7, what=f"{name} has what was asked for last")
    eventually(lambda: bed.mapping("tagged")["Tags"].get("team") == "shop")
    assert bed.functions() == Counter(["made", "edited", "twice", "tagged"])


def test_a_slow_sweep_does_not_overwrite_changes_made_meanwhile(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue("edited", batchSize=1), queue("deleted"))
    bed.wait_ready("edited")
    deleted = bed.wait_ready("deleted")["status"]["uuid"]
    others(bed, 250)
    bed.control.fault(FaultKind.DELAY_ANSWER, SWEEP, seconds=0.7)
    for batch_size in (2, 3, 4):
        wait_second_page(bed)
        bed.patch("edited", {"batchSize": batch_size})
        bed.wait_ready("edited")
        wait_second_page(bed)  # of the next sweep, because the inventory has the pages of the first one

    wait_second_page(bed)
    bed.delete("deleted")
    bed.apply(queue("made"))
    bed.wait_gone("deleted")
    bed.wait_ready("made")
    wait_second_page(bed)
    wait_second_page(bed)
    assert [one["BatchSize"] for one in bed.requests("UpdateEventSourceMapping")] == [2, 3, 4]
    assert bed.requests("DeleteEventSourceMapping") == [{"UUID": deleted}]
    assert len(bed.requests("CreateEventSourceMapping")) == 3
    assert bed.events("edited").keys() & {"DriftCorrected", "CreatedAgain"} == set()
    assert "CreatedAgain" not in bed.events("made")


@pytest.mark.parametrize("unreadable", [False, True], ids=["without its items", "that is not AWS's"])
def test_a_missing_page_deletes_and_creates_nothing(bed: Bed, unreadable: bool) -> None:
    """The mappings on the missing page are neither reported as deleted nor created again, also after a restart."""
    operator = bed.operator("--sweep-interval=2")
    names = [f"orders-{number}" for number in range(5)]
    others(bed, 120, "before")
    bed.apply(*(queue(name, batchSize=5) for name in names))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in names}
    others(bed, 200, "after")
    eventually(lambda: pages(bed)[-3:] == ["2", "3", "4"], what="a sweep of four pages")
    marker = [one["Marker"] for one in bed.requests(SWEEP) if "Marker" in one][-3]
    assert pages(bed, marker=marker)[-1] == "2"
    if unreadable:
        fault = bed.control.fault(
            FaultKind.ERROR, SWEEP, match={"Marker": marker}, status=200, code="Portal", message="<html>Log in</html>"
        )
    else:
        fault = bed.control.fault(FaultKind.MISSING_PAGE, SWEEP, match={"Marker": marker})
    bed.control.reset_counts()
    eventually(lambda: hits(bed) >= 2, what="the page was missing twice")
    bed.patch("orders-0", {"batchSize": 6})
    bed.wait_ready("orders-0")

    operator.stop()
    bed.control.reset_counts()
    operator.start()
    eventually(lambda: hits(bed) >= 2, what="the page was missing in the first sweep, too")
    bed.patch("orders-1", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders-1")["BatchSize"] == 7)
    bed.apply(queue("made"))
    bed.control.remove_fault(fault)
    for name in (*names, "made"):
        bed.wait_ready(name)
    assert {name: bed.status(name)["uuid"] for name in names} == uuids
    assert bed.functions() & Counter([*names, "made"]) == Counter([*names, "made"])
    assert len(bed.mappings()) == 120 + 200 + 6
    assert [one["FunctionName"] for one in bed.requests("CreateEventSourceMapping")] == ["made"]
    assert all("CreatedAgain" not in bed.events(name) for name in names)
    assert "DeleteEventSourceMapping" not in bed.calls()


def test_an_edit_of_a_deleted_mapping_creates_it_again(bed: Bed) -> None:
    """Between two sweeps, the answer to the edit shows the deletion. The mapping is created again with the new spec."""
    bed.operator("--sweep-interval=600")
    bed.apply(queue("edited", batchSize=5), queue("tagged"))
    for name in ("edited", "tagged"):
        bed.control.delete_mapping(bed.wait_ready(name)["status"]["uuid"])
    bed.patch("edited", {"batchSize": 6})
    bed.patch("tagged", {"tags": {"team": "shop"}})
    for name in ("edited", "tagged"):
        bed.wait_ready(name)
        assert "deleted outside of Kubernetes" in bed.event(name, "CreatedAgain")
    assert bed.mapping("edited")["BatchSize"] == 6
    assert bed.mapping("tagged")["Tags"]["team"] == "shop"
    assert bed.functions() == Counter(["edited", "tagged"])


def test_expired_credentials_are_reported_until_they_are_renewed(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue("edited", batchSize=5), queue("waiting", batchSize=5))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("edited", "waiting")}
    refused_long = bed.control.fault(FaultKind.EXPIRED_TOKEN, match={"UUID": uuids["edited"]}, retry_after=RETRY_AFTER)
    refused = bed.control.fault(FaultKind.EXPIRED_TOKEN)
    for name in ("edited", "waiting"):
        bed.patch(name, {"batchSize": 6})
        told = bed.wait_condition(name, "Ready", "False", "CredentialsRefused")
        assert "security token included in the request is expired" in told["message"]
        assert "Give the operator valid AWS credentials" in told["message"]
        assert bed.event(name, "CredentialsRefused") == told["message"]
    for fault in (refused_long, refused):
        bed.control.remove_fault(fault)

    bed.patch("edited", {"batchSize": 7})
    bed.wait_ready("edited", limit=NOT_DELAYED)
    bed.wait_ready("waiting")
    assert (bed.mapping("edited")["BatchSize"], bed.mapping("waiting")["BatchSize"]) == (7, 6)
    assert bed.functions() == Counter(["edited", "waiting"])


def test_synced_becomes_unknown_while_aws_cannot_be_read(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue("drifts", batchSize=5), queue("stays", batchSize=5))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("drifts", "stays")}
    fault = bed.control.fault(FaultKind.EXPIRED_TOKEN)
    for name in uuids:
        told = bed.wait_condition(name, "Synced", "Unknown", "CredentialsRefused")
        assert "matched the spec when the operator last read it" in told["message"]
        assert "Give the operator valid AWS credentials" in told["message"]
        assert bed.condition(name, "Ready")["status"] == "True"
        assert bed.status(name)["uuid"] == uuids[name]
    bed.control.edit_mapping(uuids["drifts"], BatchSize=1)
    bed.control.remove_fault(fault)

    for name in uuids:
        bed.wait_condition(name, "Synced", "True", "InSync")
    eventually(lambda: bed.mapping("drifts")["BatchSize"] == 5)
    bed.event("drifts", "DriftCorrected")
    assert "DriftCorrected" not in bed.events("stays")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "InvalidSignatureException",
            "Signature expired: 20260101T131223Z is now earlier than 20260101T131534Z (20260101T132034Z - 5 min.)",
        ),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20260101T211543Z is still later than 20260101T211529Z "
            "(20260101T211029Z + 5 min.)",
        ),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    ],
)
def test_a_wrong_clock_is_reported(bed: Bed, code: str, sentence: str) -> None:
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    fault = bed.control.fault(FaultKind.ERROR, code=code, message=sentence, status=403, retry_after=RETRY_AFTER)
    bed.patch("orders", {"batchSize": 5})
    told = bed.wait_condition("orders", "Ready", "False", "ClockSkewed")
    assert sentence in told["message"]
    assert "the clock of the operator's node" in told["message"]
    assert "Set the clock" in told["message"]
    assert bed.event("orders", "ClockSkewed") == told["message"]
    bed.control.remove_fault(fault)
    bed.patch("orders", {"batchSize": 6})
    bed.wait_ready("orders", limit=NOT_DELAYED)
    assert bed.mapping("orders")["BatchSize"] == 6


def test_a_missing_permission_is_named(bed: Bed) -> None:
    """The message names the action, and all resources become Ready when it is allowed."""
    operator = bed.operator("--sweep-interval=2")
    bed.apply(*(queue(name, batchSize=5) for name in ("update", "delete", "tag", "list-tags", "get")))
    arns = {name: bed.wait_ready(name)["status"] for name in ("update", "delete", "tag", "list-tags", "get")}

    deny(bed, "CreateEventSourceMapping")
    deny(bed, "UpdateEventSourceMapping", UUID=arns["update"]["uuid"])
    deny(bed, "DeleteEventSourceMapping")
    deny(bed, "TagResource")
    bed.apply(queue("create"))
    bed.patch("update", {"batchSize": 6})
    bed.patch("tag", {"tags": {"team": "shop"}})
    bed.delete("delete")
    told_to_allow(bed, "create", "lambda:CreateEventSourceMapping")
    told_to_allow(bed, "update", "lambda:UpdateEventSourceMapping")
    told_to_allow(bed, "tag", "lambda:TagResource")
    told_to_allow(bed, "delete", "lambda:DeleteEventSourceMapping", "Reconciling")

    operator.stop()
    deny(bed, "ListTags", Resource=arns["list-tags"]["arn"])
    deny(bed, "GetEventSourceMapping", UUID=arns["get"]["uuid"])
    deny(bed, SWEEP)
    operator.start()
    bed.patch("list-tags", {"batchSize": 6})
    bed.patch("get", {"batchSize": 6})
    bed.apply(queue("list"))
    told_to_allow(bed, "list-tags", "lambda:ListTags")
    told_to_allow(bed, "list", "lambda:ListEventSourceMappings")
    eventually(lambda: "lambda:GetEventSourceMapping" in bed.events("get").get("AccessDenied", ""))
    bed.wait_condition("get", "Ready", "False", "AccessDenied")
    bed.wait_swept()  # which is refused again
    bed.wait_condition("get", "Ready", "False", "AccessDenied")

    bed.control.clear_faults()
    bed.wait_gone("delete")
    for name in ("create", "update", "tag", "list-tags", "get", "list"):
        bed.wait_ready(name)
    assert bed.functions() == Counter(["create", "update", "tag", "list-tags", "get", "list"])
    assert [bed.mapping(name)["BatchSize"] for name in ("update", "list-tags", "get")] == [6, 6, 6]
    assert bed.mapping("tag")["Tags"]["team"] == "shop"


def test_a_denied_create_names_the_action_that_aws_names(bed: Bed) -> None:
    """AWS checks lambda:TagResource for a Create with tags, and KMS actions if the mapping has a key."""
    bed.operator()
    for name, action, remedy in (
        ("tags", "lambda:TagResource", "Allow the operator's IAM identity the action lambda:TagResource."),
        ("key", "kms:Encrypt", "Allow kms:Encrypt to the identity that AWS names, in the key policy"),
    ):
        match = {"FunctionName": name}
        bed.control.fault(FaultKind.ACCESS_DENIED, "CreateEventSourceMapping", match=match, action=action)
        bed.apply(queue(name))
        told = bed.wait_condition(name, "Ready", "False", "AccessDenied")
        assert f"is not authorized to perform: {action}" in told["message"]
        assert remedy in told["message"]
        assert "lambda:CreateEventSourceMapping" not in told["message"]


def test_a_refusal_without_a_sentence_gets_one(bed: Bed) -> None:
    bed.operator()
    bed.control.fault(FaultKind.ERROR, "CreateEventSourceMapping", code="AccessDeniedException", message="", status=403)
    bed.apply(queue("orders"))
    told = bed.wait_condition("orders", "Ready", "False", "AccessDenied")
    answer = "with the code AccessDeniedException (HTTP status 403) and no explanation. "
    assert f"AWS answered CreateEventSourceMapping {answer}" in told["message"]


def others(bed: Bed, count: int, name: str = "other") -> None:
    """Mappings of another tool in the same region."""
    bed.control.make_mappings(
        count,
        FunctionName=f"{name}-{{n}}",
        EventSourceArn=f"arn:aws:sqs:eu-west-1:123456789012:{name}-{{n}}",
        region="eu-west-1",
    )


def sweeps(bed: Bed) -> list[dict[str, Any]]:
    """The requests for pages of sweeps, in order."""
    return [
        one for one in bed.control.requests(2000) if one["operation"] == SWEEP and "FunctionName" not in one["members"]
    ]


def pages(bed: Bed, marker: str | None = None) -> list[str]:
    """The page numbers of the requests within their sweeps. With a marker: only those requests."""
    number, found = 0, list[str]()
    for one in sweeps(bed):
        number = number + 1 if "Marker" in one["members"] else 1
        if marker in (None, one["members"].get("Marker")):
            found.append(str(number))
    return found


def hits(bed: Bed) -> int:
    """The number of calls on which the active faults have acted."""
    return sum(int(one["hits"]) for one in bed.control.faults())


def wait_second_page(bed: Bed) -> None:
    """Wait until a new sweep requests its second page. Then it has read the first page with the operator's mappings."""
    begun = pages(bed).count("1")
    eventually(lambda: "2" in pages(bed)[_nth(pages(bed), "1", begun) :], what="the second page of a new sweep")


def _nth(numbers: list[str], wanted: str, nth: int) -> int:
    """The index of the nth (from 0) occurrence of a number, or the length."""
    found = [index for index, number in enumerate(numbers) if number == wanted]
    return found[nth] if nth < len(found) else len(numbers)


def answered(bed: Bed, operations: frozenset[str]) -> int:
    """The number of answered calls of some operations."""
    return sum(one["operation"] in operations for one in bed.control.requests(2000))


def deny(bed: Bed, operation: str, **match: str) -> None:
    bed.control.fault(FaultKind.ACCESS_DENIED, operation, match=match)


def told_to_allow(bed: Bed, name: str, action: str, kind: str = "Ready") -> None:
    told = bed.wait_condition(name, kind, "True" if kind == "Reconciling" else "False", "AccessDenied")
    assert f"is not authorized to perform: {action}" in told["message"]
    assert f"Allow the operator's IAM identity the action {action}." in told["message"]
    eventually(lambda: action in bed.events(name).get("AccessDenied", ""))
