"""A ProviderConfig names an endpoint that answers with the account number of another tenant."""

from tests.aws import AwsServer, FaultKind, Settings
from tests.bed import Bed
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually

CREATE = "CreateEventSourceMapping"


def test_a_forged_account_does_not_slow_down_the_real_one(bed: Bed) -> None:
    """The forged endpoint throttles each Create, and asks the operator not to call for two minutes.

    If the real account had the same budget, its Create would wait for the end of more than ten such pauses.
    """
    bed.operator()
    bed.compares_log = False  # the mappings of the attacker are on another AWS server
    bed.apply(queue("before"))
    bed.wait_ready("before")
    with AwsServer(Settings(pace=0, quota=0, tagging_quota=0)) as forged:
        forged.control.fault(FaultKind.THROTTLE, CREATE, retry_after="120")
        bed.apply(provider_config("forged", endpointURL=forged.endpoint))
        for number in range(12):
            bed.apply(queue(f"attacker-{number}", providerConfigRef={"name": "forged"}))
        eventually(lambda: forged.control.counts().errors.get(CREATE), "the forged endpoint has throttled a Create")
        bed.apply(queue("victim"))
        bed.wait_ready("victim")
        bed.delete_all()
        eventually(lambda: not bed.all(), "all resources are gone")
