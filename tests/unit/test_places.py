"""The states of resources in several places: an endpoint can answer with the UUID of any mapping."""

import pytest

from esm_operator.api.resource import Key
from esm_operator.planning.target import Place
from esm_operator.reconcile.resource_state import ResourceStates

UUID = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
HERE = Place("123456789012", "eu-west-1", "")
FORGED = HERE._replace(endpoint_url="http://forged.example.com")
VICTIM, HOSTILE, NEW = (Key(name, "orders") for name in ("victim", "hostile", "new"))


@pytest.fixture
def states() -> ResourceStates:
    """The states of two resources with one UUID in two places, and of one that was not reconciled yet."""
    made = ResourceStates(300)
    for key, place in {HOSTILE: FORGED, VICTIM: HERE}.items():
        made.of(key).place = place
        made.record_created(key, made.of(key), UUID)
        made.block(key, UUID)
    return made


@pytest.mark.parametrize(("place", "key"), [(HERE, VICTIM), (FORGED, HOSTILE)])
def test_a_change_in_one_place_concerns_no_resource_of_another(states: ResourceStates, place: Place, key: Key) -> None:
    assert states.created_of(place, [UUID]) == {UUID: key}
    assert states.creator(place, UUID) == key
    assert states.unblock(place, [UUID]) == {key}
    assert states.in_place(place, [VICTIM, HOSTILE, NEW]) == [key, NEW]
    states.block(key, "")
    assert states.blocking(place, [UUID]) == []


def test_the_forgotten_mapping_of_one_place_leaves_that_of_another(states: ResourceStates) -> None:
    states.forget(HOSTILE)
    assert states.creator(FORGED, UUID) is None
    assert states.creator(HERE, UUID) == VICTIM
