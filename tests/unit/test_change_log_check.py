"""The check at the end of each end-to-end test: the log has a line for each change in AWS, and no other."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bed.change_log import check_change_log

UUID = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
ACCOUNT = "123456789012"
PREFIX = f"2026-01-01T12:00:00+0000 INFO    [shop/orders {UUID}]"
PLACE = f"in eu-west-1 (account {ACCOUNT}). Cause:"
CREATED = f"{PREFIX} Created mapping {UUID} {PLACE} new resource."
UPDATED = f"{PREFIX} Updated mapping {UUID} {PLACE} drift. Change: batchSize: 5 -> 10"
CREATE_LOST = f"{PREFIX} AWS did not answer CreateEventSourceMapping of mapping (new) {PLACE} new resource."
UPDATE_LOST = f"{PREFIX} AWS did not answer UpdateEventSourceMapping of mapping {UUID} {PLACE} edit."


def change(operation: str, **more: str) -> dict[str, str]:
    place = {"account": ACCOUNT, "region": "eu-west-1", "agent": "Boto3/1.44 esm-operator"}
    return {"operation": f"{operation}EventSourceMapping", "uuid": UUID, **place, **more}


def operator(folder: Path, *lines: str, killed: bool = False) -> Any:
    log = folder / "operator.log"
    log.write_text("\n".join(lines))
    return SimpleNamespace(log=log, was_killed=killed)


@pytest.mark.parametrize(
    ("lines", "made"),
    [
        ([], []),
        ([CREATED, UPDATED], [change("Create"), change("Update")]),
        ([CREATE_LOST], []),
        ([CREATE_LOST, UPDATE_LOST], [change("Create"), change("Update")]),
        ([CREATED], [change("Create"), change("Update", agent="aws-cli")]),
    ],
)
def test_what_is_logged_passes(tmp_path: Path, lines: list[str], made: list[dict[str, str]]) -> None:
    check_change_log([operator(tmp_path, *lines)], made, "")


@pytest.mark.parametrize(
    ("lines", "made"),
    [
        ([], [change("Delete")]),
        ([CREATED, UPDATED], [change("Create")]),
        ([CREATED, UPDATED], [change("Create"), change("Update"), change("Update")]),
        ([CREATED], [change("Create", region="us-west-2")]),
        ([UPDATE_LOST], [change("Delete")]),
        ([CREATE_LOST], [change("Create"), change("Create")]),
    ],
)
def test_a_change_without_a_line_and_a_line_without_a_change_fail(
    tmp_path: Path, lines: list[str], made: list[dict[str, str]]
) -> None:
    with pytest.raises(AssertionError):
        check_change_log([operator(tmp_path, *lines)], made, "")


def test_a_killed_operator_may_lack_lines_but_adds_none(tmp_path: Path) -> None:
    check_change_log([operator(tmp_path, killed=True)], [change("Create")], "")
    with pytest.raises(AssertionError):
        check_change_log([operator(tmp_path, CREATED, killed=True)], [], "")


def test_another_account_is_left_out(tmp_path: Path) -> None:
    check_change_log([operator(tmp_path)], [change("Create", account="222222222222")], ACCOUNT)
