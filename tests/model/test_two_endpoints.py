"""Scripted scenarios without tags in AWS: a tenant reaches the mapping of another tenant in another way.

Two URLs lead to one AWS, or the resource of the other tenant has no target after a restart. So the operator cannot see
that both resources mean the same mapping.
"""

from collections.abc import Generator
from typing import Any

import pytest

from esm_operator.api.resource import Key
from esm_operator.clock import replaced
from tests.model.aws import REGION
from tests.model.script import ONE, SQS, Script, a_script
from tests.model.test_moved_targets import CONFIGS
from tests.model.test_without_tags import PromisesWithoutTags

#: The resource of another tenant, which copies the function and the source.
THIEF = Key("b", "thief")
URL = "https://vpce.example.com"
IF_EXISTS = {"policy": "IfExists"}


@pytest.fixture
def script() -> Generator[Script]:
    with a_script(PromisesWithoutTags()) as script:
        yield script


def configure(script: Script, name: str, **spec: Any) -> None:
    """Create a ProviderConfig."""
    body = {"metadata": {"name": name, "uid": name, "generation": 1}, "spec": {"region": REGION, **spec}}
    script.cluster.request("POST", CONFIGS, body)


def assert_not_stolen(script: Script, uuid: str) -> None:
    """Check that the other tenant neither gets the mapping, nor learns of its owner, nor deletes it."""
    assert script.reason(THIEF) == "Conflict"
    assert "uuid" not in script.status(THIEF)
    assert f"{ONE.namespace}/{ONE.name}" not in str(script.status(THIEF))
    script.delete(THIEF)
    script.calmly(60)
    assert script.gone(THIEF)
    assert script.mapping().uuid == uuid
    assert script.mapping().config["BatchSize"] == 10


@pytest.mark.parametrize("other", [f"{URL}/", "https://VPCE.example.com", ""])
def test_a_mapping_that_another_url_reaches_is_not_adopted(script: Script, other: str) -> None:
    configure(script, "one", endpointURL=URL)
    configure(script, "two", **({"endpointURL": other} if other else {}))
    script.apply(**SQS, providerConfigRef={"name": "one"})
    script.begin()
    uuid = script.mapping().uuid
    script.apply(THIEF, **SQS, batchSize=7, providerConfigRef={"name": "two"}, adoption=IF_EXISTS)
    script.calmly(60)
    assert_not_stolen(script, uuid)


def test_a_mapping_whose_uuid_is_not_in_a_status_yet_is_not_adopted_through_another_url(script: Script) -> None:
    configure(script, "one", endpointURL=URL)
    configure(script, "two", endpointURL=f"{URL}/")
    script.apply(**SQS, providerConfigRef={"name": "one"})
    script.world.start()
    script.world.decide(script.until_asked("create_event_source_mapping"), "well")
    noted = script.until(lambda call: call.name == "PATCH" and script.mapping().uuid in str(call.what))
    script.apply(THIEF, **SQS, batchSize=7, providerConfigRef={"name": "two"}, adoption=IF_EXISTS)
    for _ in range(60):
        script.world.deliver(len(script.cluster.watch))
        for call in [one for one in script.world.waiting if one is not noted]:
            script.world.decide(call, "well")
        if script.reason(THIEF):
            break
        if script.world.waiting == [noted]:
            script.world.pass_time(1)
    script.calmly(60)
    assert_not_stolen(script, script.status()["uuid"])


def test_of_two_resources_that_adopt_through_two_urls_one_gets_the_mapping(script: Script) -> None:
    configure(script, "one", endpointURL=URL)
    configure(script, "two", endpointURL=f"{URL}/")
    with replaced(script.world.clock):
        script.aws.make("orders", SQS["eventSourceARN"], {})
    script.apply(**SQS, providerConfigRef={"name": "one"}, adoption=IF_EXISTS)
    script.apply(THIEF, **SQS, providerConfigRef={"name": "two"}, adoption=IF_EXISTS)
    script.promises.excused |= {ONE, THIEF}
    script.begin()
    assert sorted([script.reason(ONE), script.reason(THIEF)]) == ["Conflict", "Enabled"]


def test_the_mapping_of_a_resource_without_a_target_is_not_adopted(script: Script) -> None:
    """Its namespace has lost a label while the operator was stopped, so the ProviderConfig does not admit it."""
    configure(script, "bank", namespaceSelector={"matchLabels": {"team": "bank"}})
    configure(script, "shop")
    label(script, {"team": "bank"})
    script.apply(**SQS, providerConfigRef={"name": "bank"})
    script.begin()
    uuid = script.mapping().uuid
    script.world.crash()
    label(script, {})
    script.begin()
    assert script.reason() == "ProviderConfigForbidsNamespace"
    script.apply(THIEF, **SQS, batchSize=7, providerConfigRef={"name": "shop"}, adoption=IF_EXISTS)
    script.calmly(60)
    assert_not_stolen(script, uuid)


def label(script: Script, labels: dict[str, str]) -> None:
    """Set the labels of the namespace of the first resource."""
    path = f"/api/v1/namespaces/{ONE.namespace}"
    script.cluster.request("PATCH", path, {"metadata": {"labels": {"team": None, **labels}}})
