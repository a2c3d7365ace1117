"""Exported manifests with references: which objects count, and that a reference has exactly the value it replaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esm_operator.api.annotations import ALLOW_REFERENCES_FROM
from esm_operator.api.frozen_json import is_object
from esm_operator.api.object_fields import value_in
from esm_operator.api.reference_kinds import KINDS, ReferenceKind, kind_of
from esm_operator.api.references import references_of, with_values
from esm_operator.api.spec import MappingSpec
from esm_operator.cluster.discovery import Kind, ServedKind, discover_preferred
from esm_operator.commands.account import Console
from esm_operator.commands.export_manifest import Manifest, MappingsToExport, Style, manifests
from esm_operator.commands.export_references import ObjectIndex, references_summary, with_found_references
from esm_operator.commands.object_search import ObjectSearch
from esm_operator.commands.yaml_text import UnwritableError
from tests.specs import BASES, HERE, SECRET
from tests.unit.object_server import ObjectServer
from tests.unit.test_export import OTHER, UUID, answer
from tests.unit.test_yaml_text import TEXT, documents, is_printable

ACK = "{}.services.k8s.aws/v1alpha1"
UPBOUND, UPBOUND_NAMESPACED = "{}.aws.upbound.io/v1beta1", "{}.aws.m.upbound.io/v1beta1"
STRIMZI = "kafka.strimzi.io/v1"
FUNCTION, QUEUE = f"arn:aws:lambda:{HERE}:function:orders", f"arn:aws:sqs:{HERE}:orders"
STREAM, KEY, FAILED = (
    BASES["kinesis"]["eventSourceARN"],
    f"arn:aws:kms:{HERE}:key/1",
    f"arn:aws:sqs:{HERE}:failed",
)
SERVERS = ["kafka-1.example.com:9094", "kafka-2.example.com:9094"]
HERE_ONLY, OF_CLUSTER = "shop", ""


@dataclass(frozen=True)
class Object:
    """An object of the cluster."""

    api_version: str
    kind: str
    status: Mapping[str, Any]
    name: str = "orders"
    namespace: str = HERE_ONLY
    allow: str = ""
    deleting: bool = False
    labels: Mapping[str, str] | None = None

    @property
    def body(self) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "name": self.name,
            "annotations": {ALLOW_REFERENCES_FROM: self.allow} if self.allow else {},
            "labels": self.labels or {},
        }
        meta |= {"namespace": self.namespace} if self.namespace else {}
        meta |= {"deletionTimestamp": "2026-01-01T00:00:00Z"} if self.deleting else {}
        return {"metadata": meta, "status": self.status}


def ack(service: str, kind: str, arn: str, **more: Any) -> Object:
    return Object(ACK.format(service), kind, {"ackResourceMetadata": {"arn": arn}}, **more)


def upbound(service: str, kind: str, arn: str, form: str = UPBOUND_NAMESPACED, **more: Any) -> Object:
    return Object(form.format(service), kind, {"atProvider": {"arn": arn}}, **more)


def kafka(servers: str, listener: str = "external", **more: Any) -> Object:
    return Object(STRIMZI, "Kafka", {"listeners": [{"name": listener, "bootstrapServers": servers}]}, **more)


def topic(text: str, cluster: str = "orders", **more: Any) -> Object:
    return Object(STRIMZI, "KafkaTopic", {"topicName": text}, labels={"strimzi.io/cluster": cluster}, **more)


class Objects:
    """The objects of a cluster without an API server."""

    def __init__(self, *objects: Object) -> None:
        self.objects = objects
        self.listed: list[ReferenceKind] = []

    async def fill(self, index: ObjectIndex) -> None:
        self.listed += index.needed
        for one in self.objects:
            row = kind_of(one.api_version, one.kind)
            if row in index.needed:
                assert row is not None
                index.add(row, one.api_version, one.body)


def made(mapping: Mapping[str, Any], namespace: str = HERE_ONLY) -> Manifest:
    (one,) = manifests([MappingsToExport(mapping, {})], Style(namespace=namespace))
    return one


async def referring(mapping: Mapping[str, Any], *objects: Object) -> Manifest:
    """The manifest of a mapping with references."""
    (one,) = await with_found_references([made(mapping)], Objects(*objects))
    return one


def references(manifest: Manifest) -> dict[str, dict[str, str]]:
    """The references of a manifest, by path."""
    return {one.path: one.render() for one in references_of(manifest.body["spec"])}


def shape(one: Object, **more: str) -> dict[str, str]:
    """The reference to an object."""
    return {"apiVersion": one.api_version, "kind": one.kind, "name": one.name, **more}


def stream(**members: Any) -> dict[str, Any]:
    return answer(EventSourceArn=STREAM, StartingPosition="LATEST", **members)


def self_managed(**members: Any) -> dict[str, Any]:
    endpoints = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": SERVERS}}
    return {**answer(), "EventSourceArn": None, "SelfManagedEventSource": endpoints, "Topics": ["orders"], **members}


def failing(destination: str) -> dict[str, Any]:
    return {"DestinationConfig": {"OnFailure": {"Destination": destination}}}


def access(kind: str, uri: str) -> dict[str, Any]:
    return {"SourceAccessConfigurations": [{"Type": "IAM_AUTH"}, {"Type": kind, "URI": uri}]}


OWN_FUNCTION, OWN_QUEUE = ack("lambda", "Function", FUNCTION), ack("sqs", "Queue", QUEUE)
CLUSTER = kafka(",".join(reversed(SERVERS)))
TABLE_ARN = BASES["dynamodb"]["eventSourceARN"]

#: What it is about, the mapping in AWS, the objects, and the references of the manifest.
FOUND: list[tuple[str, dict[str, Any], list[Object], dict[str, dict[str, str]]]] = [
    ("no object", answer(), [], {}),
    (
        "a function and a queue",
        answer(),
        [OWN_FUNCTION, OWN_QUEUE],
        {"functionRef": shape(OWN_FUNCTION), "eventSourceRef": shape(OWN_QUEUE)},
    ),
    (
        "a function with the version $LATEST",
        answer(function="orders:$LATEST"),
        [OWN_FUNCTION],
        {"functionRef": shape(OWN_FUNCTION)},
    ),
    ("an alias is not its function", answer(function="orders:live"), [OWN_FUNCTION], {}),
    (
        "a function is not its alias",
        answer(),
        [ack("lambda", "Alias", f"{FUNCTION}:live")],
        {},
    ),
    (
        "an alias",
        answer(function="orders:live"),
        [OWN_FUNCTION, alias := ack("lambda", "Alias", f"{FUNCTION}:live")],
        {"functionRef": shape(alias)},
    ),
    (
        "a version",
        answer(function="orders:7"),
        [version := Object(ACK.format("lambda"), "Version", {"functionARN": f"{FUNCTION}:7"})],
        {"functionRef": shape(version)},
    ),
    (
        "a function of another account",
        answer(),
        [ack("lambda", "Function", FUNCTION.replace("123456789012", "999999999999"))],
        {},
    ),
    ("the name of a function is not its ARN", answer(), [ack("lambda", "Function", "orders")], {}),
    ("an object without a value", answer(), [Object(ACK.format("sqs"), "Queue", {})], {}),
    (
        "an object whose value is not a text",
        answer(),
        [Object(ACK.format("sqs"), "Queue", {"ackResourceMetadata": {"arn": {"x": QUEUE}}})],
        {},
    ),
    ("an object that is being deleted", answer(), [ack("sqs", "Queue", QUEUE, deleting=True)], {}),
    (
        "another object is being deleted",
        answer(),
        [ack("sqs", "Queue", QUEUE, name="old", deleting=True), OWN_QUEUE],
        {"eventSourceRef": shape(OWN_QUEUE)},
    ),
    ("two objects", answer(), [OWN_QUEUE, ack("sqs", "Queue", QUEUE, name="copy")], {}),
    ("two objects of different kinds", answer(), [OWN_QUEUE, upbound("sqs", "Queue", QUEUE)], {}),
    (
        "the same object, listed twice",
        answer(),
        [OWN_QUEUE, OWN_QUEUE],
        {"eventSourceRef": shape(OWN_QUEUE)},
    ),
    (
        "an object that allows the namespace",
        answer(),
        [ack("sqs", "Queue", QUEUE, namespace="bank", allow="blue, shop")],
        {"eventSourceRef": shape(OWN_QUEUE, namespace="bank")},
    ),
    ("an object that allows others", answer(), [ack("sqs", "Queue", QUEUE, namespace="bank", allow="blue")], {}),
    ("an object that allows nobody", answer(), [ack("sqs", "Queue", QUEUE, namespace="bank")], {}),
    (
        "two objects that allow the namespace",
        answer(),
        [ack("sqs", "Queue", QUEUE, namespace=one, allow="*") for one in ("bank", "blue")],
        {},
    ),
    (
        "objects of other namespaces count for nothing if the namespace has one",
        answer(),
        [ack("sqs", "Queue", QUEUE, namespace="bank", allow=allow) for allow in ("*", "")] + [OWN_QUEUE],
        {"eventSourceRef": shape(OWN_QUEUE)},
    ),
    (
        "an object without a namespace that allows it",
        answer(),
        [whole := upbound("sqs", "Queue", QUEUE, UPBOUND, namespace=OF_CLUSTER, allow="shop")],
        {"eventSourceRef": shape(whole)},
    ),
    (
        "an object without a namespace",
        answer(),
        [upbound("sqs", "Queue", QUEUE, UPBOUND, namespace=OF_CLUSTER)],
        {},
    ),
    (
        "a destination that is a queue",
        stream(**failing(FAILED)),
        [failed := ack("sqs", "Queue", FAILED, name="failed"), OWN_QUEUE],
        {"destinationConfig.onFailure.destinationRef": shape(failed)},
    ),
    (
        "an object with a value of another kind",  # the rules about a Queue would refuse the fields of a stream
        stream(**failing(FAILED)),  # Queues are listed, because the destination may be one
        [ack("sqs", "Queue", STREAM)],
        {},
    ),
    (
        "the newest stream of a table",
        answer(EventSourceArn=TABLE_ARN, StartingPosition="LATEST"),
        [table := Object(ACK.format("dynamodb"), "Table", {"latestStreamARN": TABLE_ARN})],
        {"eventSourceRef": shape(table)},
    ),
    (
        "an older stream of a table",
        answer(EventSourceArn=TABLE_ARN, StartingPosition="LATEST"),
        [Object(ACK.format("dynamodb"), "Table", {"latestStreamARN": TABLE_ARN.replace("2026", "2027")})],
        {},
    ),
    (
        "a key",
        answer(KMSKeyArn=KEY, FilterCriteria={"Filters": [{"Pattern": "{}"}]}),
        [key := upbound("kms", "Key", KEY)],
        {"kmsKeyRef": shape(key)},
    ),
    (
        "a secret, in the second entry of a list",
        self_managed(**access("BASIC_AUTH", SECRET)),
        [secret := ack("secretsmanager", "Secret", SECRET)],
        {"sourceAccessConfigurations[1].uriRef": shape(secret)},
    ),
    (
        "a subnet with the prefix of AWS",
        self_managed(**access("VPC_SUBNET", "subnet:subnet-1")),
        [subnet := Object(ACK.format("ec2"), "Subnet", {"subnetID": "subnet-1"})],
        {"sourceAccessConfigurations[1].uriRef": shape(subnet)},
    ),
    (
        "a Kafka cluster in any order of its servers, and its topic",
        self_managed(**failing("kafka://failed")),
        [CLUSTER, topic("orders", name="t"), topic("failed", name="f"), topic("orders", "other", name="x")],
        {
            "selfManagedEventSource.bootstrapServersRef": shape(CLUSTER, key="external"),
            "topicRef": shape(topic("orders", name="t")),
            "destinationConfig.onFailure.destinationRef": shape(topic("failed", name="f")),
        },
    ),
    ("a topic of a Kafka cluster that is not referenced", self_managed(), [topic("orders")], {}),
    (
        "a topic of a Kafka cluster with the same name in another namespace",
        self_managed(),
        [CLUSTER, topic("orders", namespace="bank", allow="*")],
        {"selfManagedEventSource.bootstrapServersRef": shape(CLUSTER, key="external")},
    ),
    (
        "a Kafka cluster and its topic in another namespace",
        self_managed(),
        [kafka(",".join(SERVERS), namespace="kafka", allow="*"), topic("orders", namespace="kafka", allow="shop")],
        {
            "selfManagedEventSource.bootstrapServersRef": shape(CLUSTER, namespace="kafka", key="external"),
            "topicRef": shape(topic("orders"), namespace="kafka"),
        },
    ),
    ("a part of the servers", self_managed(), [kafka(SERVERS[0])], {}),
    (
        "two listeners with the same servers",
        self_managed(),
        [CLUSTER, kafka(",".join(SERVERS), "internal", name="copy")],
        {},
    ),
    (
        "a topic of MSK",
        answer(EventSourceArn=BASES["msk"]["eventSourceARN"], Topics=["orders"]),
        [CLUSTER, topic("orders")],
        {},
    ),
    (
        "a ConfigMap is never referred to",
        answer(),
        [Object("v1", "ConfigMap", {})],
        {},
    ),
]


@pytest.mark.parametrize(("mapping", "objects", "expected"), [one[1:] for one in FOUND], ids=[one[0] for one in FOUND])
async def test_which_values_become_references(
    mapping: dict[str, Any], objects: list[Object], expected: dict[str, dict[str, str]]
) -> None:
    manifest = await referring(mapping, *objects)
    assert references(manifest) == expected
    assert [one.path for one in manifest.references] == [*expected]
    check_same_values(mapping, manifest, objects)


def check_same_values(mapping: Mapping[str, Any], manifest: Manifest, objects: Sequence[Object]) -> None:
    """The operator sees the values of the mapping, and the other fields have not changed."""
    spec = manifest.body["spec"]
    found = dict[str, str]()
    for one in references_of(spec):
        place = one.namespace or HERE_ONLY
        (value,) = {
            value_in(one, each.body)
            for each in objects
            if (each.api_version, each.kind, each.name) == one[1:4] and each.namespace in (place, OF_CLUSTER)
        }
        assert value is not None
        found[one.path] = value
    plain, effective = made(mapping), MappingSpec.parse(with_values(spec, found))
    expected = MappingSpec.parse(plain.body["spec"])
    assert effective.values.keys() == expected.values.keys()
    assert {path: str(value) for path, value in effective.values.items() if path != "functionName"} == {
        path: str(value) for path, value in expected.values.items() if path != "functionName"
    }
    assert effective.function_name.removesuffix(":$LATEST") in (
        mapping["FunctionArn"].removesuffix(":$LATEST"),
        expected.function_name,
    )
    assert not spec.keys() & {one.value_path.partition(".")[0] for one in references_of(spec) if "." not in one.path}


VALUES = [FUNCTION, f"{FUNCTION}:live", QUEUE, FAILED, STREAM, KEY, SECRET, ",".join(SERVERS), "orders", "subnet-1"]


def _status(row: ReferenceKind, value: str) -> dict[str, Any]:
    """A status with a value at the path of a row."""
    if row.needs_key:
        return {"listeners": [{"name": "external", "bootstrapServers": value}]}
    status: Any = value
    for step in reversed(row.path.split(".")[1:]):
        status = {step: status}
    return status


@given(
    st.lists(
        st.builds(
            lambda row, value, name, namespace, allow, deleting: Object(
                f"{row.group}/v1", row.kind, _status(row, value), name, namespace, allow, deleting, {}
            ),
            st.sampled_from([row for row in KINDS if row.group]),
            st.sampled_from(VALUES),
            st.sampled_from(["orders", "other"]),
            st.sampled_from([HERE_ONLY, "bank", OF_CLUSTER]),
            st.sampled_from(["", "*", "shop"]),
            st.booleans(),
        ),
        max_size=12,
        unique_by=lambda one: (one.api_version, one.kind, one.name, one.namespace),
    ),
    st.sampled_from([answer(), answer(function="orders:live"), stream(**failing(FAILED)), self_managed()]),
)
@settings(max_examples=150)
async def test_whatever_the_cluster_has_the_values_are_the_same(objects: list[Object], mapping: dict[str, Any]) -> None:
    manifest = await referring(mapping, *objects)
    for one in manifest.references:
        (target,) = [
            each
            for each in objects
            if (each.api_version, each.kind, each.name) == one[1:4]
            and each.namespace in ((one.namespace,) if one.namespace else (HERE_ONLY, OF_CLUSTER))
            and value_in(one, each.body) is not None
        ][:1]
        assert not target.deleting
        assert target.namespace == HERE_ONLY or target.allow
    check_same_values(mapping, manifest, [one for one in objects if not one.deleting])


def remarks(manifest: Manifest) -> str:
    return " | ".join(manifest.about_references)


async def test_comments_name_the_objects() -> None:
    foreign = [ack("sqs", "Queue", QUEUE, namespace=f"n{number}") for number in range(5)]
    assert remarks(await referring(answer(), OWN_FUNCTION, OWN_QUEUE)) == ""
    assert remarks(await referring(answer(), *foreign)) == (
        "eventSourceARN: not replaced by a reference, because the namespace shop may not refer to the Queue n0/orders "
        "(sqs.services.k8s.aws/v1alpha1), the Queue n1/orders (sqs.services.k8s.aws/v1alpha1), the Queue n2/orders "
        "(sqs.services.k8s.aws/v1alpha1) and others. The annotation lambda.esm-operator.io/allow-references-from: shop "
        "on the object allows it."
    )
    two = await referring(answer(), OWN_QUEUE, upbound("sqs", "Queue", QUEUE))
    assert remarks(two) == (
        "eventSourceARN: not replaced by a reference, because several objects have this value: the Queue shop/orders "
        "(sqs.services.k8s.aws/v1alpha1), the Queue shop/orders (sqs.aws.m.upbound.io/v1beta1)."
    )
    other = await referring(answer(), ack("sqs", "Queue", QUEUE, namespace="bank", allow="shop"))
    assert remarks(other) == (
        "eventSourceRef: the Queue bank/orders (sqs.services.k8s.aws/v1alpha1) is not in the namespace shop. Users who "
        "may edit this object can change the mapping."
    )
    for one in (two, other):
        assert f"# {one.about_references[0]}\n" in one.render()


async def test_a_manifest_without_a_namespace_has_no_references() -> None:
    plain = made(answer(), namespace="")
    (one,) = await with_found_references([plain], Objects(OWN_QUEUE))
    assert one.body == plain.body
    assert "Set --namespace." in remarks(one)


async def test_references_are_where_the_values_were() -> None:
    objects = [OWN_FUNCTION, OWN_QUEUE]
    plain, one = made(answer(BatchSize=5)), await referring(answer(BatchSize=5), *objects)
    names = {"functionName": "functionRef", "eventSourceARN": "eventSourceRef"}
    assert [*one.body["spec"]] == [names.get(name, name) for name in plain.body["spec"]]
    whole = await referring(self_managed(**failing(FAILED)), CLUSTER, ack("sqs", "Queue", FAILED))
    assert [*whole.body["spec"]["selfManagedEventSource"]] == ["bootstrapServersRef"]
    assert [*whole.body["spec"]["destinationConfig"]["onFailure"]] == ["destinationRef"]


async def test_several_manifests_share_one_list_of_each_kind() -> None:
    objects = Objects(OWN_FUNCTION, OWN_QUEUE)
    plain = manifests(
        [MappingsToExport(answer(uuid, f), {}) for uuid, f in ((UUID, "orders"), (OTHER, "bills"))],
        Style(namespace="shop"),
    )
    bills, orders = await with_found_references(plain, objects)
    assert [*references(orders)] == ["functionRef", "eventSourceRef"]
    assert [*references(bills)] == ["eventSourceRef"]
    assert len(objects.listed) == len({*objects.listed})
    kinds = {row.kind for row in objects.listed}
    assert kinds == {"Function", "Queue"}, "no kinds whose objects cannot have the values"


async def test_each_owner_has_the_objects_of_its_namespace() -> None:
    def owned(namespace: str) -> dict[str, str]:
        owner = {"cluster": "old", "namespace": namespace, "name": "orders"}
        return {f"esm-operator.io/{part}": text for part, text in owner.items()}

    found = [MappingsToExport(answer(UUID), owned("shop")), MappingsToExport(answer(OTHER), owned("bank"))]
    both = await with_found_references(manifests(found, Style()), Objects(OWN_QUEUE))
    assert {one.namespace: [*references(one)] for one in both} == {"shop": ["eventSourceRef"], "bank": []}


def test_the_summary_names_the_rights_of_the_operator() -> None:
    assert references_summary([]) == ["The manifests have no references."]


async def test_the_summary_counts_references_and_comments() -> None:
    one = await referring(answer(), OWN_FUNCTION, upbound("sqs", "Queue", QUEUE))
    two = await referring(answer(), OWN_QUEUE, upbound("sqs", "Queue", QUEUE))
    assert references_summary([one, two]) == [
        "The manifests have 2 references. The operator needs permission to read the objects. Set "
        "references.ack.enabled and references.crossplane.enabled of its chart.",
        "Comments in 1 manifest are about references.",
    ]


@given(TEXT, TEXT, TEXT)
@settings(max_examples=60)
async def test_no_name_leaves_a_manifest(name: str, namespace: str, version: str) -> None:
    objects = [
        Object(f"sqs.services.k8s.aws/{version}", "Queue", {"ackResourceMetadata": {"arn": QUEUE}}, name, place, allow)
        for place, allow in ((HERE_ONLY, ""), (namespace, "*"), (namespace, ""))
    ]
    for some in (objects[:1], objects[1:2], objects[2:], [*objects[:1], OWN_QUEUE]):
        one = await referring(answer(), *some)
        try:
            text = one.render()
        except UnwritableError:
            continue
        assert is_printable(text)
        assert [each["kind"] for each in documents(text) if is_object(each)] == ["EventSourceMapping"]


# The search in a cluster

GROUP_VERSION = "sqs.services.k8s.aws/v1alpha1"
PATH = f"/apis/{GROUP_VERSION}/queues"


def resource(kind: str, *, namespaced: bool = True) -> dict[str, Any]:
    return {"name": f"{kind.lower()}s", "kind": kind, "namespaced": namespaced, "verbs": ["list", "watch"]}


@pytest.fixture
def server() -> ObjectServer:
    """A server with one kind."""
    made = ObjectServer()
    made.resources[GROUP_VERSION] = [resource("Queue")]
    made.objects[PATH] = {}
    return made


def put(server: ObjectServer, name: str, arn: str, path: str = PATH) -> None:
    server.put(path, name, {"status": {"ackResourceMetadata": {"arn": arn}}}, namespace="shop")


async def searched(server: ObjectServer, *mappings: Mapping[str, Any]) -> tuple[list[Manifest], list[str], bool]:
    """The manifests with the objects of a server, the sentences about problems, and whether the command has failed."""
    console = Console()
    plain = [made(one) for one in mappings or [answer()]]
    async with server.connect() as kubernetes:
        search = await ObjectSearch.begin(kubernetes, console)
        return await with_found_references(plain, search), search.problems(), console.failed


async def test_lists_are_read_in_pages(server: ObjectServer) -> None:
    for number in range(7):
        put(server, f"q{number}", f"{QUEUE}-{number}")
    (one,), problems, failed = await searched(server, answer(EventSourceArn=f"{QUEUE}-6"))
    assert references(one)["eventSourceRef"]["name"] == "q6"
    assert (problems, failed) == ([], False)
    assert [text for text in server.asked if text.startswith(PATH)] == [f"{PATH} list", *[f"{PATH} continue"] * 3]


async def test_only_kinds_that_may_have_a_value_are_listed(server: ObjectServer) -> None:
    server.resources["kinesis.services.k8s.aws/v1alpha1"] = [resource("Stream")]
    server.objects["/apis/kinesis.services.k8s.aws/v1alpha1/streams"] = {}
    await searched(server)
    assert not [text for text in server.asked if "streams" in text]


async def test_a_user_without_rights_gets_one_sentence(server: ObjectServer) -> None:
    server.refusals[PATH] = (403, "no")
    server.refusals[f"/apis/{GROUP_VERSION}/namespaces/shop/queues"] = (403, "no")
    manifests, problems, failed = await searched(server, answer(), answer(OTHER, "bills"), stream(**failing(FAILED)))
    assert not any(references(one) for one in manifests)
    assert problems == [
        "You may not list Queue.v1alpha1.sqs.services.k8s.aws, so the manifests have no references to these objects."
    ]
    assert not failed


async def test_a_user_with_rights_in_the_namespace_gets_its_objects(server: ObjectServer) -> None:
    server.refusals[PATH] = (403, "no")
    put(server, "orders", QUEUE, f"/apis/{GROUP_VERSION}/namespaces/shop/queues")
    (one,), problems, failed = await searched(server)
    assert references(one) == {"eventSourceRef": shape(OWN_QUEUE)}
    assert problems == [
        "You may list Queue.v1alpha1.sqs.services.k8s.aws only in some namespaces, so the manifests have no references "
        "to the other objects."
    ]
    assert not failed


async def test_a_namespace_in_a_tag_is_not_part_of_a_path(server: ObjectServer) -> None:
    server.refusals[PATH] = (403, "no")
    tags = {f"esm-operator.io/{part}": "../../secrets?x=" for part in ("cluster", "namespace", "name")}
    async with server.connect() as kubernetes:
        search = await ObjectSearch.begin(kubernetes, Console())
        await with_found_references(manifests([MappingsToExport(answer(), tags)], Style()), search)
    assert not [text for text in server.asked if "secrets" in text]


@pytest.mark.parametrize("gone", ["CRD", "group", "all"])
async def test_a_kind_that_is_not_served_is_no_problem(server: ObjectServer, gone: str) -> None:
    if gone == "CRD":
        del server.objects[PATH]  # after the discovery
    elif gone == "group":
        del server.resources[GROUP_VERSION]
    else:
        server.resources = {}
    (one,), problems, failed = await searched(server)
    assert references(one) == {}
    assert (problems, failed) == ([], False)


@pytest.mark.parametrize("path", [PATH, f"/apis/{GROUP_VERSION}"])
async def test_a_kind_that_cannot_be_read_is_a_failure(
    server: ObjectServer, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refusals[path] = (500, "conversion webhook failed")
    (one,), _, failed = await searched(server)
    assert references(one) == {}
    assert failed
    said = capsys.readouterr().err
    assert "no references to these objects" in said
    assert "Queue" in said or "queues" in said


async def test_the_version_is_the_one_that_the_server_prefers_and_that_has_the_kind() -> None:
    server = ObjectServer()
    group = "lambda.aws.upbound.io"
    server.resources[f"{group}/v1beta2"] = [resource("Function", namespaced=False)]
    server.resources[f"{group}/v1beta1"] = [resource("Alias", namespaced=False), resource("Function", namespaced=False)]
    async with server.connect() as kubernetes:
        found = await discover_preferred(kubernetes, [(group, "Function"), (group, "Alias"), (group, "Layer")])
    assert found == {
        (group, kind): (
            Kind(f"{group}/{version}", kind),
            ServedKind(f"/apis/{group}/{version}", f"{kind.lower()}s", namespaced=False),
        )
        for kind, version in (("Function", "v1beta2"), ("Alias", "v1beta1"))
    }
