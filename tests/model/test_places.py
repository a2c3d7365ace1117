"""Scripted scenarios in which a hostile endpoint answers with the UUID of another tenant's mapping.

The two resources have one account, and reach the same simulated AWS at two endpoints. So both statuses record the same
UUID, and each endpoint has a mapping with it.
"""

from collections.abc import Generator

import pytest

from esm_operator.api.resource import FINALIZER
from tests.model.aws import REGION
from tests.model.script import ONE, SQS, TWO, Script, a_script
from tests.model.test_moved_targets import CONFIGS
from tests.model.test_without_tags import PromisesWithoutTags

UPDATE = "update_event_source_mapping"


@pytest.fixture
def script() -> Generator[Script]:
    with a_script(PromisesWithoutTags()) as script:
        meta = {"name": "forged", "uid": "forged", "generation": 1}
        spec = {"region": REGION, "endpointURL": "http://forged.example.com"}
        script.cluster.request("POST", CONFIGS, {"metadata": meta, "spec": spec})
        yield script


def test_a_change_at_one_endpoint_delays_no_change_at_another(script: Script) -> None:
    """The hostile endpoint does not answer an Update. The Update of the other mapping is sent meanwhile."""
    script.apply(**SQS)
    script.begin()
    status = script.status()
    script.world.crash()
    script.apply(TWO, **SQS, providerConfigRef={"name": "forged"})
    script.cluster.edit(TWO, {"metadata": {"finalizers": [FINALIZER]}})
    script.cluster.edit(TWO, {"status": {name: status[name] for name in ("uuid", "applied")}})
    script.promises.excused |= {ONE, TWO}
    script.begin()
    assert script.reason() == script.reason(TWO) == "Enabled"
    assert script.status()["uuid"] == script.status(TWO)["uuid"]
    script.edit(TWO, batchSize=7)
    hostile = script.until_asked(UPDATE)
    script.edit(batchSize=5)
    script.world.deliver(len(script.cluster.watch))
    while others := [call for call in script.world.waiting if call is not hostile]:
        if any(call.name == UPDATE for call in others):
            return
        for call in others:
            script.world.decide(call, "well")
    raise AssertionError("the Update of the other mapping waits for that of the hostile endpoint")
