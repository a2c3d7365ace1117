"""Many kinds: a namespace refers to objects of more kinds than a client has connections."""

import pytest

from tests.bed import Bed, Resources
from tests.bed.cluster import create_namespace
from tests.e2e.conftest import reference_bed, reference_plane  # noqa: F401  # pyright: ignore[reportUnusedImport]
from tests.e2e.manifests import HERE, queue
from tests.e2e.referenced_objects import CASES, reference, with_reference
from tests.waiting import eventually


@pytest.fixture
def bed(reference_bed: Bed) -> Bed:  # noqa: F811
    return reference_bed


@pytest.mark.long
def test_watches_do_not_use_up_the_connections(bed: Bed, tenant: Resources) -> None:
    third = f"{bed.namespace}-third"
    create_namespace(bed.client, third)
    places = (bed.namespace, tenant.namespace, third)
    operator = bed.operator(f"--namespaces={','.join(places)}")
    for number, case in enumerate(CASES):
        for place in places:
            spec = with_reference(case, reference(case, "none", namespace=place))
            source = {"eventSourceARN": f"arn:aws:sqs:{HERE}:q{number}"}
            rest = source if case.place == "functionRef" else {"functionName": "f"}
            user = bed if place == bed.namespace else tenant  # one namespace has a limit of 100 watches
            user.create(f"r{number}-{places.index(place)}", {**rest, **spec})
    eventually(lambda: operator.log.read_text().count("The operator watches /") > 110, "more than 110 watches")
    bed.apply(queue("after"))
    bed.wait_ready("after")
