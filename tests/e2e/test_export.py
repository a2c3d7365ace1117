"""``esm-operator export``: what it prints takes mappings over as they are, whatever they read from; it only reads."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws import FaultKind
from tests.bed import WRITES, Bed
from tests.e2e.commands import run_command
from tests.e2e.manifests import HERE, mapping, provider_config, queue
from tests.e2e.test_every_field import Subject
from tests.every_field import SOURCES, pairs_of
from tests.waiting import eventually

DONE, FAILED = 0, 1
OWNER = {"cluster": "old", "namespace": "shop", "name": "orders", "uid": "1"}
OWNED = {f"esm-operator.io/{part}": text for part, text in OWNER.items()}
HOUR = 3600
#: Members of many mappings, each with its number.
MANY = {"FunctionName": "f{n}", "EventSourceArn": f"arn:aws:sqs:{HERE}:q{{n}}", "region": "eu-west-1"}
#: What taking over changes in AWS's answer.
TOUCHED = ("Tags", "LastModified")


def export(
    bed: Bed, *arguments: str, environment: Mapping[str, str] | None = None, input: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command without a cluster."""
    return run_command(
        bed, "export", "--requests-per-second=1000", *arguments, environment=environment or {}, input=input
    )


def printed(bed: Bed, *arguments: str) -> str:
    """What it prints, when nothing goes wrong."""
    ended = export(bed, *arguments)
    assert ended.returncode == DONE, ended.stderr
    return ended.stdout


def parsed(text: str) -> list[dict[str, Any]]:
    """The manifests."""
    return list(yaml.safe_load_all(text))


def exported(bed: Bed, *arguments: str) -> list[dict[str, Any]]:
    """The manifests, of a run in which nothing went wrong."""
    return parsed(printed(bed, *arguments))


def apply(bed: Bed, text: str) -> None:
    """Apply what was printed, letter by letter."""
    bed.kubectl("apply", "--filename=-", input=text)


def uuids(manifests: list[dict[str, Any]]) -> set[str]:
    return {one["spec"]["adoption"]["uuid"] for one in manifests}


def made(bed: Bed, name: str, **members: Any) -> str:
    """A mapping of somebody else's."""
    source = f"arn:aws:sqs:{HERE}:{name}"
    found = bed.control.make_mapping(
        **{"FunctionName": name, "EventSourceArn": source, "region": "eu-west-1", **members}
    )
    return str(found["UUID"])


def as_it_is(bed: Bed) -> dict[str, dict[str, Any]]:
    """All mappings but for what taking over changes."""
    return {one["UUID"]: {name: value for name, value in one.items() if name not in TOUCHED} for one in bed.mappings()}


def wait_taken_over(bed: Bed, names: set[str]) -> None:
    """Wait until all are Ready and in sync."""

    def conditions() -> dict[str, tuple[str, ...]]:
        return {
            one["metadata"]["name"]: tuple(
                f"{condition['type']}={condition['status']} ({condition['reason']}): {condition['message']}"
                for condition in (one.get("status") or {}).get("conditions") or ()
                if condition["type"] in ("Ready", "Synced")
            )
            for one in bed.all()
        }

    def others() -> dict[str, tuple[str, ...]]:
        return {
            name: told
            for name, told in conditions().items()
            if len(told) != 2
            or not all(
                ("=True (Enabled)" in one or "=True (Disabled)" in one or "=True (InSync)" in one) for one in told
            )
        }

    try:
        eventually(lambda: conditions().keys() == names and not others())
    except AssertionError as error:
        raise AssertionError(f"not taken over: {others()}") from error


@pytest.mark.parametrize("source", SOURCES)
def test_every_field_of_every_source_is_taken_over_as_it_is(bed: Bed, source: str) -> None:
    wanted = [
        Subject(f"{source}-{number}-{turn}", pair).manifest(value)
        for number, pair in enumerate(pairs_of(source))
        for turn, value in enumerate(pair.values)
    ]
    check_taken_over(bed, wanted)


@pytest.mark.parametrize(("arguments", "defaults"), [((), (10, 0)), (("--omit-defaults",), (None, None))])
def test_the_defaults_of_every_source_are_taken_over_as_they_are(
    bed: Bed, arguments: tuple[str, ...], defaults: tuple[int | None, int | None]
) -> None:
    wanted = [mapping(f"bare-{source}", **base) for source, base in SOURCES.items()]
    manifests = check_taken_over(bed, wanted, *arguments)
    fifo = next(one["spec"] for one in manifests if one["spec"]["functionName"] == "bare-fifo")
    assert (fifo.get("batchSize"), fifo.get("maximumBatchingWindowInSeconds")) == defaults


def check_taken_over(bed: Bed, wanted: Sequence[Mapping[str, Any]], *arguments: str) -> list[dict[str, Any]]:
    """Make mappings, and have what is printed of them taken over; the manifests."""
    bed.control.set(pace=0)
    aws = bed.aws.client("lambda", region="eu-west-1")
    for one in wanted:
        uuid = aws.create_event_source_mapping(**created(one["spec"]))["UUID"]
        bed.control.edit_mapping(uuid, LastModified=time.time() - HOUR)  # the absence of tags is certain
    before = as_it_is(bed)
    text = printed(bed, *arguments)
    manifests = parsed(text)
    assert uuids(manifests) == before.keys()
    names = {one["metadata"]["name"] for one in manifests}
    assert len(names) == len(before) == len(wanted)

    bed.control.reset_counts()
    apply(bed, text)
    bed.operator("--sweep-interval=1", "--requests-per-second=1000")
    wait_taken_over(bed, names)
    bed.wait_swept(2)
    assert {name: count for name, count in bed.calls().items() if name in WRITES} == {"TagResource": len(before)}
    assert as_it_is(bed) == before
    for one in bed.mappings():
        ours = {key for key in one["Tags"] if key.startswith("esm-operator.io/")}
        assert len(ours) == 4
    return manifests


def created(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a Create, in AWS's own spelling: stated apart from the operator's translation."""
    return {_member(name): _members(value) if name != "tags" else value for name, value in spec.items()}


def _members(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_member(name): _members(part) for name, part in value.items()}
    return [_members(part) for part in value] if isinstance(value, list) else value


def _member(name: str) -> str:
    whole = {"uri": "URI", "kmsKeyARN": "KMSKeyArn", "KAFKA_BOOTSTRAP_SERVERS": "KAFKA_BOOTSTRAP_SERVERS"}
    if name in whole:
        return whole[name]
    head = name[0].upper() + name[1:]
    return f"{head[:-3]}Arn" if head.endswith("ARN") else f"{head[:-2]}Id" if head.endswith("ID") else head


def test_disabled_ones_stay_so_and_foreign_tags_stay(bed: Bed) -> None:
    made(bed, "asleep", Enabled=False, Tags={"team": "shop", "cost": "1e3"})
    text = printed(bed)
    assert parsed(text)[0]["spec"]["enabled"] is False
    apply(bed, text)
    bed.operator("--sweep-interval=1")
    found = bed.wait_ready("asleep")
    assert found["status"]["state"] == "Disabled"
    assert {"team": "shop", "cost": "1e3"}.items() <= bed.mapping("asleep")["Tags"].items()


def test_filters_that_a_key_encrypts_are_read_one_by_one(bed: Bed) -> None:
    filters = {"Filters": [{"Pattern": '{"body": {"kind": ["new"]}}'}]}
    key = f"arn:aws:kms:{HERE}:key/orders"
    made(bed, "secret", FilterCriteria=filters, KMSKeyArn=key)
    made(bed, "open")
    (plain, secret) = exported(bed)
    assert "filterCriteria" not in plain["spec"]
    assert secret["spec"]["filterCriteria"] == {"filters": [{"pattern": '{"body": {"kind": ["new"]}}'}]}
    assert bed.calls()["GetEventSourceMapping"] == 1

    bed.control.fault(FaultKind.ACCESS_DENIED, "GetEventSourceMapping")
    ended = export(bed)
    assert ended.returncode == FAILED
    assert "lambda:GetEventSourceMapping" in ended.stderr
    assert "has no filters, so the operator will not change them" in ended.stderr
    assert len(parsed(ended.stdout)) == 2


def test_some_of_them(bed: Bed) -> None:
    orders, bills = made(bed, "orders", Tags={"team": "shop"}), made(bed, "bills", Tags={"team": "accounts"})
    late = made(bed, "late", FunctionName="orders:live", Tags={"team": "shop"})
    assert uuids(exported(bed)) == {orders, bills, late}
    assert uuids(exported(bed, "--function=bills")) == {bills}
    assert uuids(exported(bed, "--function=orders,orders:live")) == {orders, late}
    assert uuids(exported(bed, f"--event-source-arn=arn:aws:sqs:{HERE}:late")) == {late}
    assert uuids(exported(bed, "--tag=team=shop")) == {orders, late}
    assert uuids(exported(bed, f"--uuid={bills}", f"--uuid={late}")) == {bills, late}
    ended = export(bed, f"--uuid={orders},11111111-2222-3333-4444-555555555555")
    assert ended.returncode == FAILED
    assert "There is no mapping 11111111-2222-3333-4444-555555555555." in ended.stderr
    assert uuids(parsed(ended.stdout)) == {orders}
    assert exported(bed, "--region=us-west-2") == []
    assert not bed.calls().keys() & WRITES


def test_many_uuids_from_a_file_are_read_in_pages(bed: Bed, tmp_path: Path) -> None:
    """More UUIDs than fit on a command line."""
    found = bed.control.make_mappings(4000, **MANY)
    wanted = found[:3700]
    gone = "11111111-2222-3333-4444-555555555555"
    file = tmp_path / "uuids"
    file.write_text("# from the state of Terraform\n\n" + "\n".join([*wanted, gone.upper()]) + "\n")
    ended = export(bed, f"--uuid-file={file}")
    assert ended.returncode == FAILED
    assert f"There is no mapping {gone}." in ended.stderr
    assert "Printed 3,700 manifests. Found 3,700 mappings in eu-west-1." in ended.stderr
    assert uuids(parsed(ended.stdout)) == {*wanted}
    assert bed.calls()["ListEventSourceMappings"] == 40
    assert "GetEventSourceMapping" not in bed.calls()

    ended = export(bed, "--uuid-file=-", input="\n".join(wanted[:2]))
    assert uuids(parsed(ended.stdout)) == {*wanted[:2]}
    assert bed.calls()["GetEventSourceMapping"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "There is no UUID in this file."),
        ("# nothing\n\n", "There is no UUID in this file."),
        ("11111111-2222-3333-4444-555555555555\norders\n", ":2: `orders` is not the UUID of a mapping."),
        (None, "The file cannot be read: No such file or directory."),
    ],
)
def test_a_file_of_uuids_that_has_none_exports_nothing(
    bed: Bed, tmp_path: Path, content: str | None, message: str
) -> None:
    file = tmp_path / "uuids"
    if content is not None:
        file.write_text(content)
    made(bed, "orders")
    ended = export(bed, f"--uuid-file={file}")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"esm-operator: --uuid-file {file}")
    assert message in ended.stderr
    assert not bed.calls()


@pytest.mark.parametrize("denied", [False, True])
def test_many(bed: Bed, denied: bool) -> None:
    """The tagging API is asked first, if this is allowed. ListTags confirms that a mapping has no owner."""
    tagged = bed.control.make_mappings(150, **MANY, Tags={"team": "t{n}"})
    bare = bed.control.make_mappings(80, **MANY | {"FunctionName": "g{n}"})
    if denied:
        bed.control.fault(FaultKind.ACCESS_DENIED, "GetResources")
    manifests = exported(bed)
    assert uuids(manifests) == {*tagged, *bare}
    assert sum("tags" in one["spec"] for one in manifests) == 150
    assert bed.calls()["ListEventSourceMappings"] == 3
    assert bed.calls()["ListTags"] == 230


@pytest.mark.parametrize("never_tagged", [False, True])
def test_owners_that_the_tagging_api_does_not_show_yet(bed: Bed, never_tagged: bool) -> None:
    shown = bed.control.make_mappings(10, **MANY, Tags=OWNED)
    bed.control.set(tagging_lag=HOUR)
    late = bed.control.make_mappings(50, **MANY | {"FunctionName": "g{n}"}, Tags=OWNED)
    free = bed.control.make_mappings(64, **MANY | {"FunctionName": "h{n}"}, Tags={} if never_tagged else {"team": "a"})
    ended = export(bed)
    assert ended.returncode == DONE, ended.stderr
    assert uuids(parsed(ended.stdout)) == {*free}
    assert "60 mappings belong to resources of an esm-operator and are left out." in ended.stderr
    assert bed.calls()["ListTags"] == len(late) + len(free)
    assert uuids(exported(bed, "--owned")) == {*shown, *late, *free}


def test_tags_that_select_and_that_the_tagging_api_does_not_show_yet(bed: Bed) -> None:
    bed.control.make_mappings(100, **MANY, Tags={"team": "other"})
    bed.control.set(tagging_lag=HOUR)
    late = bed.control.make_mappings(20, **MANY | {"FunctionName": "g{n}"}, Tags={"team": "shop"})
    assert uuids(exported(bed, "--tag=team=shop")) == {*late}
    assert bed.calls()["ListTags"] == len(late)


def test_a_mapping_that_is_deleted_while_its_tags_are_confirmed_is_left_out(bed: Bed) -> None:
    there = bed.control.make_mappings(120, **MANY)
    code, message = "ResourceNotFoundException", "The resource you requested does not exist."
    bed.control.fault(FaultKind.ERROR, "ListTags", times=1, status=404, code=code, message=message)
    assert len(uuids(exported(bed))) == len(there) - 1


def test_those_of_a_lost_cluster_are_taken_over_under_their_names(bed: Bed) -> None:
    """Its resources were in a namespace of another name; that and the owner are in the manifests."""
    owned = made(bed, "orders", Tags=OWNED)
    free = made(bed, "free")
    ended = export(bed)
    assert uuids(parsed(ended.stdout)) == {free}
    assert "Printed 1 manifest. Found 2 mappings in eu-west-1. 1 mapping belongs to a resource" in ended.stderr

    text = printed(bed, "--owned", f"--namespace={bed.namespace}")
    assert uuids(parsed(text)) == {owned, free}
    bed.operator(
        "--cluster-name=new", f"--takeover-from-clusters={OWNED['esm-operator.io/cluster']}", "--sweep-interval=1"
    )
    apply(bed, text)
    assert bed.wait_ready("orders")["status"]["uuid"] == owned
    assert bed.mapping("orders")["Tags"]["esm-operator.io/cluster"] == "new"
    assert {name for name in bed.calls() if name in WRITES} == {"TagResource"}


def test_the_other_contents_of_the_manifests(bed: Bed) -> None:
    made(bed, "orders", Tags={"crossplane-name": "n", "team": "shop"})
    style = ("--management-policy=Observe", "--deletion-policy=Retain", "--provider-config=blue")
    (one,) = exported(bed, *style, "--without-tags=crossplane-*", "--namespace=shop")
    assert one["metadata"] == {"name": "orders", "namespace": "shop"}
    assert one["spec"]["tags"] == {"team": "shop"}
    assert one["spec"]["providerConfigRef"] == {"name": "blue"}
    assert (one["spec"]["managementPolicy"], one["spec"]["deletionPolicy"]) == ("Observe", "Retain")


def test_what_the_api_server_will_refuse_is_reported(bed: Bed) -> None:
    """AWS takes 50 tags; the operator needs four of them."""
    made(bed, "orders", Tags={f"key-{number}": "" for number in range(48)})
    ended = export(bed)
    assert ended.returncode == FAILED
    assert "event-source-mapping:" in ended.stderr
    assert "spec.tags: " in ended.stderr
    assert len(parsed(ended.stdout)) == 1
    assert exported(bed, "--without-tags=key-1*")


def test_applied_where_there_is_no_such_mapping_nothing_is_created(bed: Bed) -> None:
    uuid = made(bed, "orders")
    text = printed(bed)
    bed.control.delete_mapping(uuid)
    bed.operator("--sweep-interval=1")
    apply(bed, text)
    bed.apply(queue("other"))
    bed.wait_ready("other")
    bed.wait_condition("orders", "Stalled", "True", "NothingToAdopt")
    assert len(bed.mappings()) == 1


def test_through_the_role_of_a_provider_config(bed: Bed) -> None:
    account = "999999999999"
    uuid = made(bed, "orders", account=account, EventSourceArn=f"arn:aws:sqs:eu-west-1:{account}:orders")
    role = f"arn:aws:iam::{account}:role/esm"
    text = printed(bed, f"--role-arn={role}", "--provider-config=shop")
    assert uuids(parsed(text)) == {uuid}
    bed.apply(provider_config("shop", roleARN=role))
    bed.operator("--sweep-interval=1")
    apply(bed, text)
    assert bed.wait_ready("orders")["status"]["uuid"] == uuid


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ((), {"AWS_REGION": ""}, "No AWS region is known. Set --region."),
        ((), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "has no AWS credentials"),
        ((), {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "could not reach AWS"),
        (("--tag=team",), {}, "--tag (or ESM_OPERATOR_TAG): write each tag as key=value"),
        (("--management-policy=Watch",), {}, "--management-policy"),
    ],
)
def test_wrong_use_is_reported_in_a_sentence(
    bed: Bed, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    ended = export(bed, *arguments, environment=environment)
    assert ended.returncode != DONE
    assert said in ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
