"""CloudTrail shows the cluster and the ProviderConfig that used a role, also if several ProviderConfigs name it."""

from tests.bed import Bed
from tests.e2e.manifests import provider_config, queue

ROLE = "arn:aws:iam::222222222222:role/esm-operator"


def test_each_provider_config_has_a_session_of_its_own(bed: Bed) -> None:
    bed.operator("--cluster-name=blue")
    names = ("shop", "bank")
    for name in names:
        arn = f"arn:aws:sqs:eu-west-1:222222222222:{name}"
        bed.apply(
            provider_config(name, roleARN=ROLE),
            queue(name, eventSourceARN=arn, providerConfigRef={"name": name}),
        )
    for name in names:
        bed.wait_ready(name)
    sessions = {one["RoleSessionName"] for one in bed.requests("AssumeRole")}
    assert sessions == {"esm-operator,blue,shop", "esm-operator,blue,bank"}
