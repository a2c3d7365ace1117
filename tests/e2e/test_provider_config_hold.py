"""A ProviderConfig in use remains until the last resource that uses it is deleted, and reports this."""

from typing import Any

from tests.bed import CONFIGS, Bed, Resources
from tests.bed.cluster import create_namespace
from tests.controlplane.client import ApiError, path
from tests.e2e.manifests import TEN_KINDS, mapping, provider_config, queue
from tests.waiting import eventually

FINALIZER = "lambda.esm-operator.io/in-use"
_KAFKA = TEN_KINDS["self-managed-kafka"]
FROM_CONFIG: dict[str, Any] = {"providerConfigRef": {"name": "shop"}}


def finalizers(bed: Bed, name: str = "shop") -> list[str]:
    return ((bed.config(name) or {}).get("metadata") or {}).get("finalizers") or []


def status(bed: Bed, name: str) -> str:
    """The status of a ProviderConfig as text."""
    return str((bed.config(name) or {}).get("status"))


def wait_config_gone(bed: Bed, name: str = "shop") -> None:
    eventually(lambda: bed.config(name) is None, what=f"{name} is gone")


def test_a_deleted_provider_config_remains_while_it_is_in_use(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(provider_config("shop"))
    bed.apply(queue("orders", **FROM_CONFIG), queue("bills", **FROM_CONFIG), queue("others"))
    for name in ("orders", "bills", "others"):
        bed.wait_ready(name)
    assert finalizers(bed) == [FINALIZER]

    bed.delete_config("shop")
    eventually(lambda: "EventSourceMappings" in status(bed, "shop"), what="it lists its users")
    eventually(lambda: "Warning  InUse" in bed.kubectl("describe", CONFIGS, "shop"), what="an Event about it", every=1)
    told = bed.kubectl("describe", CONFIGS, "shop")
    assert f"2 EventSourceMappings use it ({bed.namespace}/bills, " in told

    # Resources that use it are still reconciled, and no new mapping is created through it.
    bed.patch("orders", {"batchSize": 5})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 5)
    bed.wait_ready("orders")
    bed.apply(queue("late", **FROM_CONFIG))
    bed.wait_condition("late", "Stalled", "True", "ProviderConfigDeleting")
    assert len(bed.mappings()) == 3

    bed.delete("orders")
    bed.wait_gone("orders")
    eventually(lambda: "1 EventSourceMapping uses it (" in status(bed, "shop"), what="one is left")
    bed.delete("bills")
    bed.wait_gone("bills")
    wait_config_gone(bed)
    assert len(bed.mappings()) == 1
    bed.wait_condition("late", "Reconciling", "True", "ProviderConfigNotFound")

    bed.apply(provider_config("shop"))
    bed.wait_ready("late")
    assert finalizers(bed) == [FINALIZER]


def test_an_unused_provider_config_is_deleted_immediately(bed: Bed) -> None:
    bed.operator()
    bed.apply(provider_config("shop"), provider_config("spare"))
    bed.apply(queue(**FROM_CONFIG))
    bed.wait_ready("orders")
    assert finalizers(bed, "spare") == []
    bed.delete_config("spare")
    assert bed.config("spare") is None

    bed.delete("orders")
    bed.wait_gone("orders")
    bed.delete_config("shop")
    wait_config_gone(bed)


def test_a_provider_config_gets_its_finalizer_before_a_mapping_is_created(bed: Bed) -> None:
    """The API server refuses the finalizer, so no mapping is created."""
    bed.apply(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": bed.namespace},
            "spec": {
                "matchConstraints": {
                    "resourceRules": [
                        {
                            "apiGroups": ["lambda.esm-operator.io"],
                            "apiVersions": ["v1"],
                            "operations": ["UPDATE"],
                            "resources": ["providerconfigs"],
                        }
                    ]
                },
                "validations": [
                    {"expression": "object.metadata.name != 'shop'", "message": "Not today."},
                ],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": bed.namespace},
            "spec": {"policyName": bed.namespace, "validationActions": ["Deny"]},
        },
    )
    try:
        bed.apply(provider_config("shop"))
        eventually(lambda: _refused(bed), what="the policy works")
        operator = bed.operator()
        bed.apply(queue(**FROM_CONFIG))
        eventually(lambda: "Not today." in operator.tail(), what="the refusal is logged")
        assert bed.mappings() == []
        assert not (bed.get("orders") or {})["metadata"].get("finalizers")
    finally:
        bed.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", bed.namespace)
    bed.wait_ready("orders")
    assert finalizers(bed) == [FINALIZER]


def _refused(bed: Bed) -> bool:
    try:
        bed.client.merge(f"{path('ProviderConfig', 'shop')}?dryRun=All", {"metadata": {"labels": {"tried": "yes"}}})
    except ApiError as error:
        return "Not today." in error.message
    return False


def test_a_provider_config_deleted_without_an_operator_remains_while_it_is_in_use(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(provider_config("shop"), provider_config("used"))
    bed.apply(queue("orders", **FROM_CONFIG), queue("bills", providerConfigRef={"name": "used"}))
    bed.wait_ready("orders")
    bed.wait_ready("bills")
    bed.delete("orders")
    bed.wait_gone("orders")
    operator.stop()
    bed.delete_config("shop")
    bed.delete_config("used")
    assert finalizers(bed) == [FINALIZER]

    operator.start()
    wait_config_gone(bed)
    eventually(lambda: "1 EventSourceMapping uses it" in status(bed, "used"))
    bed.delete("bills")
    bed.wait_gone("bills")
    wait_config_gone(bed, "used")
    assert bed.mappings() == []


def test_operators_of_different_namespaces_have_their_own_finalizers(bed: Bed) -> None:
    """No operator knows the resources of the other, so each has its own finalizer."""
    other = f"{bed.namespace}-b"
    elsewhere = Resources(bed.client, other)
    create_namespace(bed.client, other)
    for place in (bed.namespace, other):
        bed.operator(f"--namespaces={place}", environment={"ESM_OPERATOR_LEASE_NAME": place})
    bed.apply(provider_config("shop"))
    bed.apply(queue("orders", **FROM_CONFIG))
    elsewhere.apply(queue("bills", **FROM_CONFIG))
    bed.wait_ready("orders")
    elsewhere.wait_ready("bills")
    held = sorted(finalizers(bed))
    assert held == sorted(f"{FINALIZER}.esm-operator.{place}" for place in (bed.namespace, other))

    bed.delete_config("shop")
    bed.delete("orders")
    bed.wait_gone("orders")
    eventually(lambda: len(finalizers(bed)) == 1, what="the first lets go")
    assert finalizers(bed) == [f"{FINALIZER}.esm-operator.{other}"]
    elsewhere.delete("bills")
    elsewhere.wait_gone("bills")
    wait_config_gone(bed)
    assert bed.mappings() == []


def test_a_default_provider_config_is_held_only_by_resources_that_need_it(bed: Bed) -> None:
    """Resources that existed before it, and to which it made no difference, do not need it."""
    bed.operator()
    bed.apply(mapping("stalls", **_KAFKA), queue("same"))
    uuid = bed.wait_ready("stalls")["status"]["uuid"]
    bed.wait_ready("same")
    bed.apply(provider_config("default", region="us-west-2"))
    bed.wait_condition("stalls", "Stalled", "True", "TargetChanged")
    bed.patch("same", {"batchSize": 5})
    bed.wait_ready("same")
    assert finalizers(bed, "default") == []
    bed.apply(mapping("needs", **_KAFKA))
    bed.wait_ready("needs")
    assert finalizers(bed, "default") == [FINALIZER]

    bed.delete_config("default")
    alone = f"1 EventSourceMapping uses it ({bed.namespace}/needs). "
    eventually(lambda: alone in status(bed, "default"))
    bed.delete("needs")
    bed.wait_gone("needs")
    wait_config_gone(bed, "default")
    assert bed.wait_ready("stalls")["status"]["uuid"] == uuid
    bed.wait_ready("same")
    assert len(bed.mappings()) == 2
