"""What a process keeps from one term for the next one."""

from typing import Any

import pytest

from esm_operator.api.resource import Key, Resource, parse
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.settings import Settings
from esm_operator.term import TermMemory

KEY = Key("shop", "orders")


def resource(**metadata: Any) -> Resource:
    known = {"namespace": KEY.namespace, "name": KEY.name, "uid": "1", "resourceVersion": "1", "generation": 1}
    return parse({"metadata": {**known, **metadata}, "spec": {"functionName": "orders"}})


@pytest.fixture
def memory() -> TermMemory:
    """The memory at the end of a term in which AWS has refused a resource."""
    made = TermMemory(Settings(cluster_name="blue"))
    state = made.states.of(KEY)
    state.created = "uuid"
    state.back_off(1.0, 300.0)
    made.states.failure_backoff.failed(KEY)
    made.suspend([resource()])
    return made


def resumed(memory: TermMemory, *present: Resource) -> TermMemory:
    """The memory in the next term, in which these resources exist."""
    cache = ResourceCache()
    for one in present:
        cache.put(one)
    memory.resume(cache)
    return memory


def test_an_unchanged_resource_keeps_its_state(memory: TermMemory) -> None:
    states = resumed(memory, resource(resourceVersion="2")).states
    assert states.of(KEY).created == "uuid"
    assert states.of(KEY).failures
    assert states.failure_backoff.is_failing(KEY)


def test_an_edit_ends_the_back_off(memory: TermMemory) -> None:
    states = resumed(memory, resource(resourceVersion="2", generation=2)).states
    assert states.of(KEY).created == "uuid"
    assert not states.of(KEY).failures
    assert not states.failure_backoff.is_failing(KEY)


@pytest.mark.parametrize("present", [[], [resource(uid="2", resourceVersion="2")]], ids=["gone", "replaced"])
def test_another_resource_of_the_same_name_inherits_nothing(memory: TermMemory, present: list[Resource]) -> None:
    states = resumed(memory, *present).states
    assert not states.of(KEY).created
    assert not states.of(KEY).failures
    assert not states.failure_backoff.is_failing(KEY)
