"""The names of AWS and those of the spec map one to one, for all members of AWS."""

from collections.abc import Iterator

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api import names

MODEL = botocore.session.get_session().get_service_model("lambda")
OPERATIONS = ("CreateEventSourceMapping", "UpdateEventSourceMapping")


def member_names(shape: Shape | None) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield name
            yield from member_names(member)
    elif isinstance(shape, ListShape):
        yield from member_names(shape.member)
    elif isinstance(shape, MapShape):
        yield from getattr(shape.key, "enum", [])


KNOWN = sorted(
    {name for operation in OPERATIONS for name in member_names(MODEL.operation_model(operation).input_shape)}
)

SCALARS = st.one_of(st.text(), st.integers(), st.booleans())
SPECS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(KNOWN), inner, max_size=4),
    ),
)


def to_kubernetes(value: object) -> object:
    if isinstance(value, dict):
        return {names.kubernetes_name(str(name)): to_kubernetes(member) for name, member in value.items()}
    return [to_kubernetes(item) for item in value] if isinstance(value, list) else value


def test_each_name_is_converted_there_and_back() -> None:
    assert {name: names.aws_name(names.kubernetes_name(name)) for name in KNOWN} == {name: name for name in KNOWN}


def test_different_names_stay_different() -> None:
    assert len({names.kubernetes_name(name) for name in KNOWN}) == len(KNOWN)


def test_spelling_follows_kubernetes() -> None:
    spelled = {
        "EventSourceArn": "eventSourceARN",
        "KMSKeyArn": "kmsKeyARN",
        "ConsumerGroupId": "consumerGroupID",
        "URI": "uri",
        "SchemaRegistryURI": "schemaRegistryURI",
        "DocumentDBEventSourceConfig": "documentDBEventSourceConfig",
        "KAFKA_BOOTSTRAP_SERVERS": "KAFKA_BOOTSTRAP_SERVERS",
    }
    assert {name: names.kubernetes_name(name) for name in spelled} == spelled


@given(SPECS)
def test_a_structure_is_converted_there_and_back(value: object) -> None:
    assert names.to_aws(to_kubernetes(value)) == value
