"""The owners of mappings without owner tags, as far as the endpoints of other resources matter."""

from typing import Any

import pytest

from esm_operator.api.resource import Resource, parse
from esm_operator.aws.connections import Connections
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.targets import Knowledge, Targets
from esm_operator.clock import monotonic
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.fence import SHUT
from esm_operator.planning.desired import MappingRecord, desired_of
from esm_operator.planning.ownership import OWNER_TAGS, owner_of
from esm_operator.planning.target import Place, ProviderConfigSettings, ResolvedTarget
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.ownership_records import tags_in_place
from esm_operator.reconcile.resource_state import ResourceStates
from esm_operator.settings import Settings
from tests.aws import AwsServer
from tests.unit.listener import Listener

UUID = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
FORGED = "http://forged.example.com"


def resource(name: str, created: str, spec: dict[str, Any], *, recorded: bool = True) -> Resource:
    meta = {"namespace": name, "name": "orders", "uid": name, "resourceVersion": "1", "creationTimestamp": created}
    status = {"uuid": UUID, "applied": {"tags": sorted(OWNER_TAGS)}} if recorded else {}
    return parse(
        {"metadata": meta, "spec": {"functionName": "orders", "eventSourceARN": QUEUE, **spec}, "status": status}
    )


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("config", "reconciled", "owner"),
    [
        ("forged", "", "victim"),
        ("forged", "forged", "victim"),
        ("same", "", "older"),
        ("same", "same", "older"),
        ("deleted", "", "victim"),
        ("deleted", "forged", "victim"),
        ("deleted", "same", "older"),
        ("same", "account", "victim"),
    ],
)
async def test_a_mapping_at_another_endpoint_is_another_mapping(
    aws: AwsServer, connections: Connections, config: str, reconciled: str, owner: str, *, recorded: bool
) -> None:
    """A server that a ProviderConfig names can answer with any UUID.

    Args:
        aws: the endpoint of the victim.
        connections: the connections.
        config: the ProviderConfig of the older resource. The one called "deleted" does not exist.
        reconciled: where the older resource was reconciled last. Empty: not since the process began.
        owner: the resource that owns the victim's mapping. If no resource records the mapping, and another endpoint of
            the account has the UUID, nobody may adopt it. So it counts as the mapping of the older resource.
        recorded: whether the statuses record the mapping. If not, this process has created it.
    """
    own = ProviderConfigSettings("(operator)", endpoint_url=aws.endpoint, owner_tags=False)
    config_cache = ConfigCache(own, own_credentials=True, labels_known=False)
    for name, spec in {"forged": {"endpointURL": FORGED}, "same": {}}.items():
        config_cache.put_config({"metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "spec": spec})
    victim = resource("victim", "2026-02-01T00:00:00Z", {})
    older = resource("older", "2026-01-01T00:00:00Z", {"providerConfigRef": {"name": config}}, recorded=recorded)
    cache, states = ResourceCache(), ResourceStates(300)
    for one in (victim, older):
        cache.put(one)
    target = config_cache.resolve(victim)
    assert isinstance(target, ResolvedTarget)
    targets = Targets(connections, SHUT, Settings(), Listener(), Knowledge())
    connected = await targets.connect(target.target)
    places = {
        "forged": Place("123456789012", "eu-west-1", FORGED),
        "same": connected.place,
        "account": Place("222222222222", "eu-west-1", aws.endpoint),
    }
    states.of(older.key).place = places.get(reconciled if recorded else reconciled or config)
    record = MappingRecord.of(victim)
    if not recorded:  # this process has created a mapping with this UUID for the older resource
        states.record_created(older.key, states.of(older.key), UUID)
        record = MappingRecord("", record.applied)
        cache.put(victim := resource("victim", "2026-02-01T00:00:00Z", {}, recorded=False))
        owner = "older" if (reconciled or config) in ("forged", "same") else ""
    context = ReconcileContext(
        states,
        cache,
        config_cache,
        victim,
        states.of(victim.key),
        record,
        target,
        connected,
        monotonic(),
    )
    context.desired = desired_of(victim, record, target, "123456789012", "blue")
    inventory = Inventory()
    inventory.record({"UUID": UUID, "FunctionArn": "orders", "EventSourceArn": QUEUE, "State": "Enabled"}, monotonic())
    entry = inventory.get(UUID)
    assert entry is not None
    found = owner_of(tags_in_place(context, entry))
    assert (found.namespace if found is not None else "") == owner
    await targets.close()
