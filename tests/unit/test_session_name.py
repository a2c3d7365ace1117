"""The session names of roles: readable, accepted by AWS, and one for each ProviderConfig."""

from typing import cast

import botocore.session
import pytest
from botocore.model import StructureShape
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.aws.session_name import session_name

#: The pattern and the lengths that AWS accepts, as botocore has them.
_FACTS = cast(StructureShape, botocore.session.get_session().get_service_model("sts").shape_for("AssumeRoleRequest"))
_ACCEPTED = _FACTS.members["RoleSessionName"].metadata
CLUSTERS = st.text("abcXYZ019 _.:=+-@", min_size=1, max_size=256)
CONFIGS = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True)


def test_the_facts_are_those_of_botocore() -> None:
    assert (_ACCEPTED["min"], _ACCEPTED["max"], _ACCEPTED["pattern"]) == (2, 64, r"[\w+=,.@-]*")


@pytest.mark.parametrize(
    ("cluster", "config", "name"),
    [
        ("blue", "shop", "esm-operator,blue,shop"),
        ("blue", "shop.eu-west-1", "esm-operator,blue,shop.eu-west-1"),
        ("blue", "", "esm-operator"),
        ("", "shop", "esm-operator"),
        ("b" * 25, "s" * 25, f"esm-operator,{'b' * 25},{'s' * 25}"),
        ("arn:aws:eks", "shop", "esm-operator,arn_aws_eks,shop=zepc2bwo4ytfsfyf"),
    ],
)
def test_names(cluster: str, config: str, name: str) -> None:
    assert session_name(cluster, config) == name


@given(CLUSTERS, CONFIGS)
def test_aws_accepts_each_name(cluster: str, config: str) -> None:
    name = session_name(cluster, config)
    assert 2 <= len(name) <= 64
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-")
    assert name.startswith("esm-operator,")


@given(CLUSTERS, CONFIGS, CONFIGS)
def test_two_provider_configs_do_not_share_a_name(cluster: str, one: str, other: str) -> None:
    assert (session_name(cluster, one) == session_name(cluster, other)) == (one == other)


@pytest.mark.parametrize("cluster", ["blue", "b" * 256, "a cluster"])
def test_no_provider_config_can_be_called_like_a_name_that_was_cut(cluster: str) -> None:
    """An author of ProviderConfigs knows the hash. The API server accepts no = in a name."""
    assert "=" in session_name(cluster, "a" * 253).split(",", 2)[2]
