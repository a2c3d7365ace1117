"""Scripted scenarios: AWS refuses to show tags to the operator."""

from typing import Any

from botocore.exceptions import ClientError

from tests.model.script import SQS, Script, answers

REFUSED = {"Error": {"Code": "AccessDeniedException", "Message": "User is not authorized to perform: lambda:ListTags"}}


def test_the_tag_sweep_does_not_retry_each_second_if_all_reads_are_refused(script: Script) -> None:
    script.begin()
    script.apply(**SQS)
    script.converge()
    refusals = list[str]()

    def refuse(really: Any, asked: dict[str, Any]) -> Any:
        refusals.append(really.__name__)
        raise ClientError(REFUSED, "ListTags")  # pyright: ignore[reportArgumentType]

    answers(script, "get_resources", refuse)
    answers(script, "list_tags", refuse)
    script.calmly(3600)
    assert refusals.count("get_resources") == 1
    assert 1 <= refusals.count("list_tags") <= 10, "once in a tag sweep's interval of 600 s"
