"""Scripted scenarios: a change of settings leads to another account or region, or a ProviderConfig is deleted."""

import json
from typing import Any

import pytest

from esm_operator.api.resource import FINALIZER, GROUP, VERSION
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.operator_names import IN_USE
from tests.model import calls
from tests.model.aws import QUEUE, REGION
from tests.model.script import KINESIS, ONE, SQS, Script
from tests.model.world import SWEEP_INTERVAL

CONFIGS = f"/apis/{GROUP}/{VERSION}/{PROVIDER_CONFIGS}"
#: The metadata of an object whose deletion was requested.
DELETED = {"deletionTimestamp": "2026-01-01T01:00:00Z"}


def test_a_mapping_is_not_created_again_in_another_region(script: Script) -> None:
    script.apply(**SQS, replacePolicy="Recreate")
    script.begin()
    uuid = script.mapping().uuid
    script.edit(eventSourceARN=QUEUE.replace(REGION, "us-west-2"))
    script.calmly(2 * SWEEP_INTERVAL)
    assert script.reason() == "TargetChanged"
    assert script.mapping().uuid == uuid
    script.edit(eventSourceARN=QUEUE)
    script.converge()


def test_a_mapping_is_not_created_again_in_another_account(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator gets other credentials. In that account there is no mapping."""
    script.apply(**SQS)
    script.begin()
    script.world.crash()
    here = dict(script.aws.standing)
    script.aws.standing.clear()
    with monkeypatch.context() as there:
        there.setattr(calls, "ACCOUNT", "210987654321")
        script.world.start()
        script.calmly(2 * SWEEP_INTERVAL)
        assert script.reason() == "TargetChanged"
        assert script.aws.standing == {}
        script.world.crash()
    script.aws.standing.update(here)
    script.world.start()
    script.converge()


def test_a_resource_whose_spec_cannot_be_read_is_stalled_and_can_be_deleted(script: Script) -> None:
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.edit(startingPosition="AT_TIMESTAMP", startingPositionTimestamp="2026-01-01T00:00:00+24:00")
    script.calmly(60)
    assert script.reason() == "InvalidSpec"
    script.mapping()
    script.delete()
    script.calmly(60)
    assert script.gone()
    assert script.aws.standing == {}


def configure(script: Script, **metadata: Any) -> None:
    """Create a ProviderConfig ``shop``."""
    meta = {"name": "shop", "uid": "uid-of-shop", "generation": 1, **metadata}
    script.cluster.request("POST", CONFIGS, {"metadata": meta, "spec": {"region": REGION}})


def finalizers(script: Script) -> list[str]:
    """The finalizers of the ProviderConfig."""
    return json.loads(script.cluster.request("GET", f"{CONFIGS}/shop", {}).body)["metadata"].get("finalizers") or []


def delete_config(script: Script) -> None:
    """Delete the ProviderConfig, and report it to the operator as the watch does."""
    patch_config(script, metadata=DELETED)


def patch_config(script: Script, **parts: Any) -> None:
    """Change the ProviderConfig, and report it to the operator as the watch does."""
    script.cluster.request("PATCH", f"{CONFIGS}/shop", parts)
    process = script.world.process
    assert process is not None
    assert process.operator is not None
    body = json.loads(script.cluster.request("GET", f"{CONFIGS}/shop", {}).body)
    process.loop.call(process.operator.handle_provider_config, "MODIFIED", body)


def test_no_mapping_is_created_through_a_provider_config_that_is_being_deleted(script: Script) -> None:
    configure(script, finalizers=["example.com/other"], **DELETED)
    script.apply(**SQS, providerConfigRef={"name": "shop"})
    script.begin()
    assert script.reason() == "ProviderConfigDeleting"
    assert script.aws.standing == {}


def test_a_forged_status_creates_nothing_through_a_provider_config_that_is_being_deleted(script: Script) -> None:
    configure(script, finalizers=["example.com/other"], **DELETED)
    script.apply(**SQS, providerConfigRef={"name": "shop"})
    forged = {"metadata": {"finalizers": [FINALIZER]}, "status": {"uuid": "11111111-2222-4333-8444-555555555555"}}
    script.cluster.edit(ONE, forged)
    script.begin()
    script.calmly(2 * SWEEP_INTERVAL)
    assert script.reason() == "ProviderConfigDeleting"
    assert script.aws.standing == {}


@pytest.mark.parametrize("change", ["replacement", "recreation"])
def test_a_provider_config_that_is_being_deleted_still_serves_its_mappings_but_makes_none(
    script: Script, change: str
) -> None:
    configure(script)
    script.apply(**KINESIS, providerConfigRef={"name": "shop"}, replacePolicy="Recreate")
    script.begin()
    uuid = script.mapping().uuid
    delete_config(script)
    script.edit(batchSize=7)
    script.calmly(60)
    assert script.mapping().config["BatchSize"] == 7
    if change == "replacement":
        script.edit(startingPosition="TRIM_HORIZON")
    else:
        script.aws.standing.clear()
    script.calmly(3 * SWEEP_INTERVAL)
    assert script.reason() == "ProviderConfigDeleting"
    assert [one.uuid for one in script.aws.standing.values()] == ([uuid] if change == "replacement" else [])


def test_a_replacement_ends_although_the_provider_config_is_being_deleted_meanwhile(script: Script) -> None:
    configure(script)
    script.apply(**KINESIS, providerConfigRef={"name": "shop"}, replacePolicy="Recreate")
    script.begin()
    script.edit(startingPosition="TRIM_HORIZON")
    script.until_asked("delete_event_source_mapping")
    delete_config(script)
    script.calmly(3 * SWEEP_INTERVAL)
    assert script.mapping().position == "TRIM_HORIZON"
    assert script.reason() == "Enabled"


def test_a_provider_config_stays_as_long_as_a_mapping_is_reached_through_it(script: Script) -> None:
    configure(script, finalizers=["example.com/other"])
    script.apply(**SQS, providerConfigRef={"name": "shop"})
    script.begin()
    assert finalizers(script) == ["example.com/other", IN_USE]
    script.cluster.request("PATCH", f"{CONFIGS}/shop", {"metadata": DELETED})
    script.calmly(3 * SWEEP_INTERVAL)
    assert finalizers(script) == ["example.com/other", IN_USE]
    script.delete()
    script.calmly(60)
    assert script.gone()
    assert script.aws.standing == {}
    assert finalizers(script) == ["example.com/other"]
