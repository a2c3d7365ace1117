"""Scripted scenarios: a change of settings leads to another account or region, or a ProviderConfig is deleted."""

import json
from typing import Any

import pytest

from esm_operator.api.resource import GROUP, VERSION
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.operator_names import IN_USE
from tests.model import calls
from tests.model.aws import QUEUE, REGION
from tests.model.script import KINESIS, SQS, Script
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


def test_no_mapping_is_created_through_a_provider_config_that_is_being_deleted(script: Script) -> None:
    configure(script, finalizers=["example.com/other"], **DELETED)
    script.apply(**SQS, providerConfigRef={"name": "shop"})
    script.begin()
    assert script.reason() == "ProviderConfigDeleting"
    assert script.aws.standing == {}


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
