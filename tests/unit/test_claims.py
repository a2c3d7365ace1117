"""Which older resource keeps another one from adopting a mapping: only one that can adopt it itself."""

from typing import Any

import pytest

from esm_operator.api.resource import Resource, parse
from esm_operator.aws.connections import Connections
from esm_operator.aws.targets import Knowledge, Targets
from esm_operator.clock import monotonic
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.fence import SHUT
from esm_operator.planning.desired import MappingRecord, desired_of
from esm_operator.planning.target import ProviderConfigSettings, ResolvedTarget
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.observe import observe
from esm_operator.reconcile.resource_state import ResourceStates
from esm_operator.settings import Settings
from tests.aws import AwsServer
from tests.unit.listener import Listener

UUID = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": ["kafka.example.com:9092"]}
KAFKA = {"functionName": "bills", "selfManagedEventSource": {"endpoints": SERVERS}, "topics": ["bills"]}


def resource(namespace: str, created: str, **spec: Any) -> Resource:
    meta = {"namespace": namespace, "name": "bills", "uid": namespace, "resourceVersion": "1"}
    spec = {**KAFKA, "region": "eu-west-1", "adoption": {"policy": "IfExists"}, **spec}
    return parse({"metadata": {**meta, "creationTimestamp": created}, "spec": spec, "status": {}})


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ({}, True),
        ({"providerConfigRef": {"name": "same"}}, True),
        ({"adoption": {"policy": "IfExists", "uuid": UUID}}, True),
        ({"adoption": {"policy": "IfExists", "uuid": UUID.replace("1b", "2b")}}, False),
        ({"managementPolicy": "Observe"}, False),
        ({"region": "us-east-1"}, False),
        ({"providerConfigRef": {"name": "elsewhere"}}, False),
        ({"providerConfigRef": {"name": "missing"}}, False),
        ({"providerConfigRef": {"name": "refusing"}}, False),
    ],
)
async def test_an_older_resource_counts_only_if_it_can_adopt_the_mapping(
    aws: AwsServer, connections: Connections, spec: dict[str, Any], *, counts: bool
) -> None:
    operator = ProviderConfigSettings("(operator)", endpoint_url=aws.endpoint)
    config_cache = ConfigCache(operator, own_credentials=True, labels_known=False)
    configs: dict[str, dict[str, Any]] = {
        "same": {},
        "elsewhere": {"endpointURL": "http://elsewhere.example.com"},
        "refusing": {"allowedFunctions": ["${namespace}_*"]},
    }
    for name, config in configs.items():
        config_cache.put_config({"metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "spec": config})
    younger, older = resource("bank", "2026-06-01T00:00:00Z"), resource("mallory", "2026-01-01T00:00:00Z", **spec)
    cache, states = ResourceCache(), ResourceStates(300)
    cache.put(younger)
    cache.put(older)
    target, record = config_cache.resolve(younger), MappingRecord.of(younger)
    assert isinstance(target, ResolvedTarget)
    targets = Targets(connections, SHUT, Settings(), Listener(), Knowledge())
    connected = await targets.connect(target.target)
    context = ReconcileContext(
        states, cache, config_cache, younger, states.of(younger.key), record, target, connected, monotonic()
    )
    context.desired = desired_of(younger, record, target, "123456789012", "blue")
    assert observe(context, unsettled=False).rival == "", "there is no mapping"
    found = {"UUID": UUID, "FunctionArn": "bills", "SelfManagedEventSource": {"Endpoints": SERVERS}}
    connected.inventory.record({**found, "Topics": ["bills"], "State": "Enabled"}, monotonic())
    assert observe(context, unsettled=False).rival == ("mallory/bills" if counts else "")
    await targets.close()
