"""Scripted scenarios: AWS changes tags, and its answer is lost."""

from tests.model.script import ONE, SQS, Script


def test_tags_are_read_immediately_after_a_change_without_an_answer_is_edited_back(script: Script) -> None:
    script.apply(**SQS, tags={"team": "red"})
    script.begin()
    script.edit(tags={"team": "blue"})
    request = script.until_asked("tag_resource")
    script.edit(tags={"team": "red"})
    script.world.deliver(len(script.cluster.watch))
    script.world.decide(request, "lost")
    assert script.mapping().tags["team"] == "blue"
    script.calmly(30)
    assert script.mapping().tags["team"] == "red"
    script.converge()


def test_after_a_write_without_an_answer_the_resource_is_read_before_the_next_write(script: Script) -> None:
    script.world.start()
    script.apply(**SQS)
    path = f"namespaces/{ONE.namespace}/eventsourcemappings/{ONE.name}"
    script.world.decide(script.until(lambda call: call.name == "PATCH"), "lost")
    script.world.pass_time(2)  # the watch is late too
    assert [call.name for call in script.world.waiting if call.what.get("path", "").endswith(path)] == ["GET"]
    script.converge()
