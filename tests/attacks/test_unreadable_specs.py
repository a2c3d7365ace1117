"""A tenant writes a spec that API servers accept and the operator cannot read, to stop the operator for all tenants."""

import asyncio
from typing import Any

import pytest

from esm_operator.api.resource import parse
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.operator_names import IN_USE
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.cluster.usage_finalizer import UsageFinalizer
from esm_operator.planning.target import ProviderConfigSettings
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.refusals import UNREADABLE_TIMES
from tests.specs import AT, manifest, spec


def finalizer_with(of: dict[str, Any]) -> UsageFinalizer:
    """Usage finalizers, with a resource whose ProviderConfig ``default`` is being deleted."""
    meta = {"namespace": "mallory", "uid": "m", "resourceVersion": "1"}
    body = manifest(of)
    cache, configs = ResourceCache(), ConfigCache(ProviderConfigSettings("(operator)", region="eu-west-1"))
    cache.put(parse(body | {"metadata": body["metadata"] | meta}))
    deleted = {"resourceVersion": "1", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [IN_USE]}
    configs.put_config({"metadata": {"name": "default", "uid": "d", **deleted}, "spec": {"allowedFunctions": ["*"]}})
    configs.put_namespace({"metadata": {"name": "mallory"}})
    unreachable: Any = None
    return UsageFinalizer(IN_USE, cache, configs, KubernetesClient(unreachable, RateLimiter(100)), interval=0.0)


@pytest.mark.parametrize("stamp", UNREADABLE_TIMES)
async def test_an_unreadable_time_does_not_end_the_operator(stamp: str) -> None:
    finalizer = finalizer_with(spec("kinesis", {"startingPosition": AT, "startingPositionTimestamp": stamp}))
    running = asyncio.create_task(finalizer.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
