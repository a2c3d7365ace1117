"""The author of a ProviderConfig deletes it while only a changed label hides that mappings were made through it."""

from typing import Any

import pytest

from tests.bed import Bed
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually

LABEL = "lambda.esm-operator.io/provider-config"
ACCOUNT = "222222222222"


def config(name: str, account: str) -> dict[str, Any]:
    return provider_config(name, roleARN=f"arn:aws:iam::{account}:role/esm", region="eu-west-1")


@pytest.mark.parametrize(("before", "labelled"), [("bank", True), ("default", False)])
def test_a_former_provider_config_remains_as_long_as_it_alone_reaches_the_mapping(
    bed: Bed, before: str, labelled: bool
) -> None:
    bed.apply(config(before, ACCOUNT), config("shop", "333333333333"))
    bed.label_namespace(**{LABEL: before if labelled else None})
    bed.operator()
    bed.apply(queue("ledger", eventSourceARN=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:ledger"))
    bed.wait_ready("ledger")

    bed.label_namespace(**{LABEL: "shop"})
    stalled = bed.wait_condition("ledger", "Stalled", "True", "TargetChanged")
    assert f'made through the ProviderConfig "{before}"' in stalled["message"]
    bed.delete_config(before)
    eventually(lambda: "ledger" in str((bed.config(before) or {}).get("status")), "its status lists the resource")

    bed.label_namespace(**{LABEL: before if labelled else None})
    bed.delete("ledger")
    bed.wait_gone("ledger")
    assert bed.mappings() == []
    eventually(lambda: bed.config(before) is None, "the ProviderConfig is deleted")
