"""What attacks of a tenant need."""

import pytest

from tests.bed import Bed, Resources
from tests.bed.cluster import create_namespace


@pytest.fixture
def tenant(bed: Bed) -> Resources:
    """The namespace of the tenant. The namespace of the bed belongs to the bank."""
    resources = Resources(bed.client, f"{bed.namespace}-tenant")
    create_namespace(bed.client, resources.namespace)
    bed.exits.callback(resources.clear)  # after the operators have ended
    return resources
