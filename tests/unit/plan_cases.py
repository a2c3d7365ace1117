"""The planner's cases: what a resource desires, what was observed, and what is done next. A table for ``test_plan``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from esm_operator.api import identity
from esm_operator.api.fields import observed_values
from esm_operator.api.resource import Key
from esm_operator.api.spec import Adoption, MappingSpec
from esm_operator.planning import actions, differences, plan
from esm_operator.planning.allowed import UNLIMITED
from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import Desired, Observation, ObservedMapping
from esm_operator.planning.left_to_others import creation
from esm_operator.planning.ownership import OWNER_TAGS, Owner

OWNER = Owner("cluster", "shop", "orders", "uid-1")
OTHER = Owner("cluster", "shop", "payments", "uid-2")
#: Owners of another namespace and of another cluster.
FOREIGN = Owner("cluster", "bank", "ledger", "uid-3")
ELSEWHERE = Owner("old", "shop", "orders", "uid-4")
#: A resource to which the foreign owner consents.
CONSENT: dict[str, Any] = {"consenting": frozenset({Key("bank", "ledger")})}
HERE = "eu-west-1:123456789012"
UUID = "11111111-1111-1111-1111-111111111111"
SECOND = "22222222-2222-2222-2222-222222222222"
SQS = {"functionName": "orders", "eventSourceARN": f"arn:aws:sqs:{HERE}:orders"}
KINESIS = {
    "functionName": "orders",
    "eventSourceARN": f"arn:aws:kinesis:{HERE}:stream/orders",
    "startingPosition": "LATEST",
}
MSK: dict[str, Any] = {
    "functionName": "orders",
    "eventSourceARN": f"arn:aws:kafka:{HERE}:cluster/orders/1-2-3",
    "topics": ["orders"],
}
DOCUMENTDB: dict[str, Any] = {
    "functionName": "orders",
    "eventSourceARN": f"arn:aws:rds:{HERE}:cluster:orders",
    "documentDBEventSourceConfig": {"databaseName": "orders", "fullDocument": "UpdateLookup"},
    "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": "secret"}],
}
MQ = {
    "functionName": "orders",
    "eventSourceARN": f"arn:aws:mq:{HERE}:broker:orders:b-1",
    "queues": ["orders"],
    "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": "secret"}, {"type": "VIRTUAL_HOST", "uri": "/a"}],
}


def wanted(spec: Mapping[str, Any] = SQS, *, tags: Mapping[str, str] | None = None, **more: Any) -> Desired:
    """A resource that is prepared and has nothing in AWS yet."""
    asked = MappingSpec.parse(spec)
    settings: dict[str, Any] = {"prepared": True, "finalizer": True, "intent_current": True, **more}
    ignored, all_tags = asked.ignored, {**(tags or {}), **OWNER.tags()}
    return Desired(
        owner=OWNER,
        identity=asked.identity,
        intended=asked.identity,
        source=asked.source,
        values={path: value for path, value in asked.values.items() if path not in ignored.fields},
        emptied=asked.emptied - ignored.fields,
        tags={key: value for key, value in all_tags.items() if not ignored.has_tag(key)},
        ignored=ignored,
        creation=creation(asked, all_tags, {}, replaces={}, scope=UNLIMITED),
        consumer_group=asked.consumer_group,
        **settings,
    )


def made(spec: Mapping[str, Any] = SQS, *, tags: Mapping[str, str] | None = None, **more: Any) -> Desired:
    """A resource whose mapping was made by it."""
    desired = wanted(spec, tags=tags)
    settings: dict[str, Any] = {
        "uuid": UUID,
        "applied_fields": desired.creation.fields,
        "applied_tags": desired.creation.tag_keys,
        "applied_immutable": differences.immutable_texts(desired.creation.values),
        "known_tags": desired.creation.tags,
        **more,
    }
    return replace(desired, **settings)


def seen(owner: Owner | None = OWNER, *, uuid: str = UUID, state: str = "Enabled", **members: Any) -> ObservedMapping:
    """A mapping of an SQS queue as AWS has it, unless the members differ."""
    raw = {
        "UUID": uuid,
        "FunctionArn": f"arn:aws:lambda:{HERE}:function:orders",
        "EventSourceArn": SQS["eventSourceARN"],
        "State": state,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        **members,
    }
    return ObservedMapping(
        uuid,
        state,
        observed_values(raw),
        tags=owner.tags() if owner else {},
        consumer_group=identity.consumer_group(raw),
    )


def documentdb(collection: str = "", **more: Any) -> dict[str, Any]:
    """A spec of a DocumentDB cluster; of all collections, unless one is named."""
    config = {**DOCUMENTDB["documentDBEventSourceConfig"], **({"collectionName": collection} if collection else {})}
    return {**DOCUMENTDB, "documentDBEventSourceConfig": {**config, **more}}


def seen_documentdb(**config: str) -> ObservedMapping:
    """A mapping of a DocumentDB cluster as AWS has it."""
    return seen(
        EventSourceArn=DOCUMENTDB["eventSourceARN"],
        BatchSize=100,
        SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": "secret"}],
        DocumentDBEventSourceConfig={"DatabaseName": "orders", "FullDocument": "UpdateLookup", **config},
    )


def msk(group: str = "", **spec: Any) -> dict[str, Any]:
    """A spec of an MSK cluster; AWS makes up the consumer group, unless one is named."""
    return {**MSK, **({"amazonManagedKafkaEventSourceConfig": {"consumerGroupID": group}} if group else {}), **spec}


def seen_msk(group: str, **more: Any) -> ObservedMapping:
    """A mapping of an MSK cluster as AWS has it."""
    config = {"ConsumerGroupId": group}
    members: dict[str, Any] = {"EventSourceArn": MSK["eventSourceARN"], "Topics": ["orders"], "BatchSize": 100, **more}
    return seen(AmazonManagedKafkaEventSourceConfig=config, **members)


def self_managed(*servers: str, group: str = "shop", **spec: Any) -> dict[str, Any]:
    """A spec of a self-managed Kafka cluster."""
    return {
        "functionName": "orders",
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(servers)}},
        "topics": ["orders"],
        "selfManagedKafkaEventSourceConfig": {"consumerGroupID": group},
        **spec,
    }


def seen_self_managed(*servers: str, group: str = "shop") -> ObservedMapping:
    """A mapping of a self-managed Kafka cluster as AWS has it."""
    return seen(
        EventSourceArn=None,
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(servers)}},
        Topics=["orders"],
        SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": group},
    )


def edited(before: Mapping[str, Any], after: Mapping[str, Any], **more: Any) -> Desired:
    """A resource whose mapping was made by it, and whose spec was edited since."""
    noted = made(before)
    return replace(
        wanted(after, edited=True, **more),
        uuid=noted.uuid,
        intended=noted.intended,
        applied_fields=noted.applied_fields,
        applied_tags=noted.applied_tags,
        applied_immutable=noted.applied_immutable,
        known_tags=noted.known_tags,
    )


def found(mapping: ObservedMapping) -> Observation:
    return Observation(swept=True, mapping=mapping)


def candidates(*mappings: ObservedMapping) -> Observation:
    return Observation(swept=True, candidates=mappings)


INVALID = Finding("InvalidSpec", "Rule", {"message": "No."})
NOTHING = Observation(swept=True)
GONE = Observation(swept=True, gone=True)
UNSWEPT = Observation(swept=False)
#: Deleted, and of the notes only the finalizer is left.
LOST = replace(wanted(deleting=True, prepared=False), intended=None)
STALE = replace(seen(), tags_fresh=False)
UNSEEN_TAGS = replace(seen(), tags=None)
#: No owner tags, and AWS may show them later.
UNTAGGED = replace(seen(None), tags_may_follow=True)
UNTAGGED_STALE = replace(UNTAGGED, tags_fresh=False)
TO_REPLACE = replace(
    made(KINESIS, recreate=True), values=MappingSpec.parse({**KINESIS, "startingPosition": "TRIM_HORIZON"}).values
)
TO_MOVE = replace(
    made(recreate=True), values=MappingSpec.parse({**SQS, "eventSourceARN": f"arn:aws:sqs:{HERE}:others"}).values
)

CASES: dict[str, tuple[Desired, Observation, actions.Action | type[Any]]] = {
    "the intent's identity: a mapping of somebody else is nothing to us": (
        wanted(),
        Observation(swept=True, intended=(seen(None),)),
        actions.Create(),
    ),
    "the intent's identity: a mapping of somebody else is not adopted": (
        wanted(adoption=Adoption("IfExists")),
        Observation(swept=True, intended=(seen(None),)),
        actions.Create(),
    ),
    "the intent's identity: ours is taken up": (
        wanted(),
        Observation(swept=True, intended=(seen(),)),
        actions.RecordUUID(UUID),
    ),
    "going, the noted uuid is another's: ours is found by its identity": (
        made(deleting=True),
        Observation(swept=True, mapping=seen(OTHER), candidates=(seen(uuid=SECOND),)),
        actions.RecordUUID(SECOND),
    ),
    "the noted uuid is another's: ours is found by its identity": (
        made(),
        Observation(swept=True, mapping=seen(OTHER), candidates=(seen(uuid=SECOND),)),
        actions.RecordUUID(SECOND),
    ),
    # Going
    "going, and was never ours to hold": (wanted(deleting=True, finalizer=False), NOTHING, actions.NoOp()),
    "going, perhaps made, the intent was lost": (LOST, UNSWEPT, plan.SWEEPING),
    "going, made, the intent was lost": (LOST, candidates(seen()), actions.RecordUUID(UUID)),
    "going, its tags not seen lately": (made(deleting=True), found(STALE), actions.ListTags(UUID)),
    "going, Retain, AWS is deleting it": (
        made(deleting=True, retain=True),
        found(seen(state="Deleting")),
        actions.Wait,
    ),
    "going, another mapping was made that no list has": (
        made(deleting=True),
        Observation(swept=True, gone=True, unseen=SECOND),
        actions.GetMapping(SECOND),
    ),
    "going, nothing was made": (LOST, NOTHING, actions.RemoveFinalizer()),
    "going, the intent was lost, AWS is deleting it": (LOST, Observation(swept=True, leaving=(seen(),)), actions.Wait),
    "going, only observed": (made(deleting=True, observe_only=True), found(seen()), actions.RemoveFinalizer()),
    "going, unseen": (made(deleting=True), UNSWEPT, actions.GetMapping(UUID)),
    "going, perhaps made by the intent": (wanted(deleting=True), UNSWEPT, actions.Wait),
    "going, perhaps still to be made": (wanted(deleting=True), Observation(swept=True, unsettled=True), plan.UNSETTLED),
    "going, perhaps made and missed by sweeps": (
        wanted(deleting=True),
        Observation(swept=True, unsearched=True),
        actions.SearchByFunction(),
    ),
    "going, perhaps made again and missed by sweeps": (
        made(deleting=True),
        Observation(swept=True, gone=True, unsearched=True),
        actions.SearchByFunction(),
    ),
    "going, let go": (made(deleting=True, orphan=True), UNSWEPT, actions.RemoveFinalizer()),
    "going, paused": (made(deleting=True, paused=True), found(seen()), actions.Stall),
    "going, paused, gone": (made(deleting=True, paused=True), GONE, actions.RemoveFinalizer()),
    "let go, but not going": (made(orphan=True), found(seen()), actions.NoOp()),
    "going, not made": (wanted(deleting=True), NOTHING, actions.RemoveFinalizer()),
    "going, made by the intent": (wanted(deleting=True), candidates(seen()), actions.RecordUUID(UUID)),
    "going, tags unseen": (made(deleting=True), found(UNSEEN_TAGS), actions.ListTags(UUID)),
    "going, retained, tags unseen": (made(deleting=True, retain=True), found(UNSEEN_TAGS), actions.ListTags(UUID)),
    "going, AWS deletes it, tags unseen": (
        made(deleting=True),
        found(replace(seen(state="Deleting"), tags=None)),
        actions.Wait,
    ),
    "going, a candidate with unseen tags": (wanted(deleting=True), candidates(UNSEEN_TAGS), actions.ListTags(UUID)),
    "going, another's in its place": (wanted(deleting=True), candidates(seen(OTHER)), actions.RemoveFinalizer()),
    "going, nobody's in its place": (wanted(deleting=True), candidates(seen(None)), actions.RemoveFinalizer()),
    "going, ours": (made(deleting=True), found(seen()), actions.Delete(UUID)),
    "going, ours, without our finalizer": (made(deleting=True, finalizer=False), found(seen()), actions.NoOp()),
    "going, taken over by another": (made(deleting=True), found(seen(OTHER)), actions.RemoveFinalizer()),
    "going, in transition": (made(deleting=True), found(seen(state="Updating")), actions.Wait),
    "going, AWS deletes it": (made(deleting=True), found(seen(state="Deleting")), actions.Wait),
    "going, gone": (made(deleting=True), GONE, actions.RemoveFinalizer()),
    "going, gone before the sweep": (made(deleting=True), Observation(swept=False, gone=True), plan.SWEEPING),
    "going, and another takes it over": (made(deleting=True, heir="shop/new"), found(seen()), actions.Wait),
    "going, retained, and another takes it over": (
        made(deleting=True, retain=True, heir="shop/new"),
        found(seen()),
        actions.Wait,
    ),
    "going, and another has taken it over": (
        made(deleting=True, heir="shop/payments"),
        found(seen(OTHER)),
        actions.RemoveFinalizer(),
    ),
    "going, let go, and another takes it over": (
        made(deleting=True, orphan=True, heir="shop/new"),
        found(seen()),
        actions.RemoveFinalizer(),
    ),
    "going, retained": (made(deleting=True, retain=True), found(seen()), actions.RemoveOwnerTags(UUID, OWNER_TAGS)),
    "going, with a policy that is not known": (made(deleting=True, problems=(INVALID,)), found(seen()), actions.Stall),
    "going, nobody's in its place, its tags not seen lately": (
        wanted(deleting=True),
        candidates(replace(STALE, tags={})),
        actions.ListTags(UUID),
    ),
    # Tags that AWS may show later than the mapping
    "tags may follow, perhaps made by us": (
        wanted(),
        replace(candidates(UNTAGGED), may_have_made=True),
        actions.Wait,
    ),
    "tags may follow, perhaps made by us, not seen lately": (
        wanted(),
        replace(candidates(UNTAGGED_STALE), may_have_made=True),
        actions.ListTags(UUID),
    ),
    "tags may follow, not made by us": (wanted(), candidates(UNTAGGED), actions.Conflict),
    "tags may follow, made by us before the status was written": (
        wanted(),
        replace(candidates(UNTAGGED), made=UUID),
        actions.Wait,
    ),
    "tags may follow, another one was made by us": (
        wanted(),
        replace(candidates(UNTAGGED), made=SECOND),
        actions.Conflict,
    ),
    "tags may follow, to be adopted": (wanted(adoption=Adoption("IfExists")), candidates(UNTAGGED), actions.Wait),
    "tags did not follow, perhaps made by us": (
        wanted(),
        replace(candidates(seen(None)), may_have_made=True),
        actions.Conflict,
    ),
    "tags may follow on the noted mapping": (made(), found(UNTAGGED), actions.Wait),
    "tags may follow on one mapping, another is ours": (
        wanted(),
        replace(candidates(UNTAGGED, seen(uuid=SECOND)), may_have_made=True),
        actions.RecordUUID(SECOND),
    ),
    "going, tags may follow, perhaps made by us": (
        wanted(deleting=True),
        replace(candidates(UNTAGGED), may_have_made=True),
        actions.Wait,
    ),
    "going, retained, tags may follow on the noted mapping": (
        made(deleting=True, retain=True),
        found(UNTAGGED),
        actions.Wait,
    ),
    "going, tags may follow on the noted mapping, not seen lately": (
        made(deleting=True),
        found(UNTAGGED_STALE),
        actions.ListTags(UUID),
    ),
    "to be replaced, tags may follow on another one that has its identity": (
        TO_REPLACE,
        replace(
            found(seen(EventSourceArn=KINESIS["eventSourceARN"])),
            candidates=(seen(EventSourceArn=KINESIS["eventSourceARN"]), replace(UNTAGGED, uuid=SECOND)),
            may_have_made=True,
        ),
        actions.Wait,
    ),
    "to be moved, tags may follow on the successor": (
        TO_MOVE,
        replace(found(seen()), candidates=(replace(UNTAGGED, uuid=SECOND),), may_have_made=True),
        actions.Wait,
    ),
    # Removed although it carried the finalizer
    "removed, its own mapping": (wanted(deleting=True, removed=True), candidates(seen()), actions.RecordUUID(UUID)),
    "removed, the mapping of the next resource of its name": (
        wanted(deleting=True, removed=True),
        candidates(seen(replace(OWNER, uid="uid-9"))),
        actions.RemoveFinalizer(),
    ),
    "removed, nothing was made": (wanted(deleting=True, removed=True), NOTHING, actions.RemoveFinalizer()),
    # Not worked on
    "invalid": (made(problems=(INVALID,)), found(seen()), actions.Stall),
    "observed": (wanted(observe_only=True, prepared=False), candidates(seen(None)), actions.NoOp()),
    "observed, before the sweep": (wanted(observe_only=True), UNSWEPT, actions.Wait),
    "observed, none": (wanted(observe_only=True), NOTHING, plan.NOT_FOUND),
    "observed by uuid": (wanted(observe_only=True, adoption=Adoption("IfExists", UUID)), found(seen()), actions.NoOp()),
    "observed, of another resource of the namespace": (
        wanted(observe_only=True),
        candidates(seen(OTHER)),
        actions.NoOp(),
    ),
    "observed, tags unknown": (wanted(observe_only=True), candidates(UNSEEN_TAGS), actions.ListTags(UUID)),
    "observed, tags unknown, and the status has them": (
        made(observe_only=True, known_tags={}),
        found(UNSEEN_TAGS),
        actions.ListTags(UUID),
    ),
    "observed, tags unknown, and the status has its own": (
        made(observe_only=True, known_tags=OWNER.tags()),
        found(UNSEEN_TAGS),
        actions.ListTags(UUID),
    ),
    "in transition, tags unknown, of another function": (
        made(),
        found(replace(seen(state="Updating", FunctionArn="payments"), tags=None)),
        actions.ListTags(UUID),
    ),
    "in transition, tags unknown": (made(), found(replace(seen(state="Updating"), tags=None)), actions.Wait),
    "observed, and tags may follow": (
        wanted(observe_only=True),
        candidates(replace(seen(None), tags_may_follow=True)),
        actions.Wait,
    ),
    "observed, of another namespace": (wanted(observe_only=True), candidates(seen(FOREIGN)), actions.Conflict),
    "observed by uuid, of another namespace": (
        wanted(observe_only=True, adoption=Adoption("IfExists", UUID)),
        found(seen(FOREIGN)),
        actions.Conflict,
    ),
    "observed by uuid, of another namespace that consents": (
        wanted(observe_only=True, adoption=Adoption("IfExists", UUID), **CONSENT),
        found(seen(FOREIGN)),
        actions.NoOp(),
    ),
    "observed by uuid, of another cluster": (
        wanted(observe_only=True, adoption=Adoption("IfExists", UUID)),
        found(seen(ELSEWHERE)),
        actions.Conflict,
    ),
    "observed by uuid, of another cluster that the settings name": (
        wanted(observe_only=True, adoption=Adoption("IfExists", UUID), takeover_clusters=frozenset({"old"})),
        found(seen(ELSEWHERE)),
        actions.NoOp(),
    ),
    "observed by uuid, unseen": (
        wanted(observe_only=True, adoption=Adoption("IfExists", UUID)),
        NOTHING,
        actions.GetMapping(UUID),
    ),
    "observed by uuid, before the sweep": (
        wanted(observe_only=True, adoption=Adoption("IfExists", UUID)),
        UNSWEPT,
        plan.SWEEPING,
    ),
    "observed, its own gone, that was adopted as another": (
        made(observe_only=True, adoption=Adoption("IfExists", SECOND), known_tags=OWNER.tags()),
        NOTHING,
        actions.GetMapping(UUID),
    ),
    "observed, its own known to be gone, that was adopted as another": (
        made(observe_only=True, adoption=Adoption("IfExists", SECOND), known_tags=OWNER.tags()),
        Observation(swept=True, gone=True),
        plan.NOT_FOUND,
    ),
    "observed, another one noted": (
        made(observe_only=True, adoption=Adoption("IfExists", SECOND), known_tags={}),
        NOTHING,
        actions.GetMapping(SECOND),
    ),
    "observed by uuid, none, and one of that identity": (
        wanted(observe_only=True, adoption=Adoption("IfExists", UUID)),
        Observation(swept=True, gone=True, candidates=(seen(None, uuid=SECOND),)),
        actions.Wait,
    ),
    # Being made
    "no finalizer": (wanted(prepared=False), NOTHING, actions.AddFinalizer(keep_intent=True)),
    "no intent": (replace(wanted(prepared=False), intended=None), NOTHING, actions.AddFinalizer()),
    "before the sweep": (wanted(), UNSWEPT, actions.Wait),
    "none": (wanted(), NOTHING, actions.Create()),
    "none, but another resource had one": (
        wanted(),
        Observation(swept=True, holder="shop/older"),
        actions.Conflict,
    ),
    "gone, but another resource had one too": (
        made(),
        Observation(swept=True, gone=True, holder="shop/older"),
        actions.Conflict,
    ),
    "to another function, whose mapping is missing": (
        replace(made(), values=MappingSpec.parse({**SQS, "functionName": "payments"}).values),
        Observation(swept=True, mapping=seen(), holder="shop/older"),
        actions.Conflict,
    ),
    "none, with an intent of another spec": (wanted(intent_current=False), NOTHING, actions.AddFinalizer()),
    "made by the intent": (wanted(), candidates(seen()), actions.RecordUUID(UUID)),
    "ours among others": (
        wanted(),
        candidates(seen(OTHER, uuid="2"), seen(), seen(None, uuid="3")),
        actions.RecordUUID(UUID),
    ),
    "one with unseen tags": (wanted(), candidates(UNSEEN_TAGS), actions.ListTags(UUID)),
    "a predecessor is being deleted": (
        wanted(),
        Observation(swept=True, leaving=(seen(state="Deleting"),)),
        actions.Wait,
    ),
    "an intent that may still be carried out": (wanted(), Observation(swept=True, unsettled=True), actions.Create()),
    "an intent that may still be carried out, and another spec": (
        wanted(intent_current=False),
        Observation(swept=True, unsettled=True),
        plan.UNSETTLED,
    ),
    "an intent that may have been carried out unseen": (
        wanted(),
        Observation(swept=True, unsearched=True),
        actions.Create(),
    ),
    "an intent that may have been carried out unseen, and another spec": (
        wanted(intent_current=False),
        Observation(swept=True, unsearched=True),
        actions.SearchByFunction(),
    ),
    "another's": (wanted(), candidates(seen(OTHER)), actions.Conflict),
    "nobody's": (wanted(), candidates(seen(None)), actions.Conflict),
    "owned by a resource of the same name in another cluster": (
        wanted(),
        candidates(seen(replace(OWNER, cluster="elsewhere"))),
        actions.Conflict,
    ),
    "Required and none": (wanted(adoption=Adoption("Required")), NOTHING, actions.Stall),
    # Adoption
    "nobody's, IfExists": (
        wanted(adoption=Adoption("IfExists")),
        candidates(seen(None)),
        actions.Adopt(UUID),
    ),
    "nobody's, Required": (
        wanted(adoption=Adoption("Required")),
        candidates(seen(None)),
        actions.Adopt(UUID),
    ),
    "nobody's, IfExists, and an older resource may adopt it": (
        wanted(adoption=Adoption("IfExists")),
        Observation(swept=True, candidates=(seen(None),), rival="shop/older"),
        actions.Conflict,
    ),
    "named, gone, and one of its own exists": (
        wanted(adoption=Adoption("IfExists", SECOND)),
        Observation(swept=True, gone=True, candidates=(seen(),)),
        actions.RecordUUID(UUID),
    ),
    "named, and one of its own exists": (
        wanted(adoption=Adoption("IfExists", SECOND)),
        Observation(swept=True, mapping=seen(None, uuid=SECOND), candidates=(seen(),)),
        actions.RecordUUID(UUID),
    ),
    "named, gone, and a strange one in its way": (
        wanted(adoption=Adoption("IfExists", SECOND)),
        Observation(swept=True, gone=True, candidates=(seen(None),)),
        actions.Conflict,
    ),
    "taken from it meanwhile, though it had taken it over itself": (
        made(adoption=Adoption("IfExists", UUID, str(OTHER))),
        Observation(swept=True, mapping=seen(OTHER), candidates=(seen(OTHER),)),
        actions.Conflict,
    ),
    "the same, after an edit": (
        made(edited=True, adoption=Adoption("IfExists", UUID, str(OTHER))),
        Observation(swept=True, mapping=seen(OTHER), candidates=(seen(OTHER),)),
        actions.Adopt(UUID, str(OTHER)),
    ),
    "to another function, whose mapping is being deleted": (
        replace(made(), values=MappingSpec.parse({**SQS, "functionName": "payments"}).values),
        Observation(swept=True, mapping=seen(), leaving=(seen(OTHER, uuid=SECOND, state="Deleting"),)),
        actions.Wait,
    ),
    "named, unseen": (wanted(adoption=Adoption("IfExists", UUID)), NOTHING, actions.GetMapping(UUID)),
    "named, nobody's": (
        wanted(adoption=Adoption("IfExists", UUID)),
        found(seen(None)),
        actions.Adopt(UUID),
    ),
    "another's, IfExists": (wanted(adoption=Adoption("IfExists")), candidates(seen(OTHER)), actions.Conflict),
    "another's, with the wrong owner": (
        wanted(adoption=Adoption("IfExists", UUID, "cluster/shop/someone")),
        found(seen(OTHER)),
        actions.Conflict,
    ),
    "another's, by name": (
        wanted(adoption=Adoption("IfExists", UUID, str(OTHER))),
        found(seen(OTHER)),
        actions.Adopt(UUID, str(OTHER)),
    ),
    "another namespace's, by name": (
        wanted(adoption=Adoption("IfExists", UUID, str(FOREIGN))),
        found(seen(FOREIGN)),
        actions.Conflict,
    ),
    "another namespace's, by name and with consent": (
        wanted(adoption=Adoption("IfExists", UUID, str(FOREIGN)), **CONSENT),
        found(seen(FOREIGN)),
        actions.Adopt(UUID, str(FOREIGN)),
    ),
    "another namespace's, with consent and the wrong name": (
        wanted(adoption=Adoption("IfExists", UUID, str(OTHER)), **CONSENT),
        found(seen(FOREIGN)),
        actions.Conflict,
    ),
    "another namespace's, with the consent of another resource there": (
        wanted(adoption=Adoption("IfExists", UUID, str(FOREIGN)), consenting=frozenset({Key("bank", "other")})),
        found(seen(FOREIGN)),
        actions.Conflict,
    ),
    "another cluster's, by name": (
        wanted(adoption=Adoption("IfExists", UUID, str(ELSEWHERE))),
        found(seen(ELSEWHERE)),
        actions.Conflict,
    ),
    "another cluster's, by name, and the settings name the cluster": (
        wanted(adoption=Adoption("IfExists", UUID, str(ELSEWHERE)), takeover_clusters=frozenset({"old"})),
        found(seen(ELSEWHERE)),
        actions.Adopt(UUID, str(ELSEWHERE)),
    ),
    "another cluster's, with the consent of the same name here": (
        wanted(adoption=Adoption("IfExists", UUID, str(ELSEWHERE)), consenting=frozenset({Key("shop", "orders")})),
        found(seen(ELSEWHERE)),
        actions.Conflict,
    ),
    # Made
    "as desired": (made(), found(seen()), actions.NoOp()),
    "as desired, tags unseen but noted": (made(), found(UNSEEN_TAGS), actions.NoOp()),
    "unseen and as it was": (made(), UNSWEPT, plan.SWEEPING),
    "unseen and edited": (made(edited=True), UNSWEPT, actions.GetMapping(UUID)),
    "in a sweep no more, AWS not asked": (made(), NOTHING, actions.GetMapping(UUID)),
    "gone, to be replaced": (
        TO_REPLACE,
        GONE,
        actions.Create(replaces=UUID),
    ),
    "gone, before the sweep": (made(), Observation(swept=False, gone=True), actions.Wait),
    "gone": (made(), GONE, actions.Create(again=True)),
    "gone, paused": (made(paused=True), GONE, actions.Stall),
    "paused, as desired": (made(paused=True), found(seen()), actions.NoOp()),
    "gone after Required": (made(adoption=Adoption("Required")), GONE, actions.Stall),
    "gone, made again by the intent": (
        made(),
        Observation(swept=True, gone=True, candidates=(seen(uuid="2"),)),
        actions.RecordUUID("2"),
    ),
    "gone, another's in its place": (
        made(),
        Observation(swept=True, gone=True, candidates=(seen(OTHER, uuid="2"),)),
        actions.Conflict,
    ),
    "to another function, which has a mapping": (
        replace(made(), values=MappingSpec.parse({**SQS, "functionName": "payments"}).values),
        Observation(swept=True, mapping=seen(), candidates=(seen(OTHER, uuid=SECOND),)),
        actions.Conflict,
    ),
    "in transition": (made(), found(seen(state="Creating")), actions.Wait),
    "taken over by another": (
        made(),
        Observation(swept=True, mapping=seen(OTHER), candidates=(seen(OTHER),)),
        actions.Conflict,
    ),
    # Fields
    "a field differs": (
        made({**SQS, "batchSize": 5}),
        found(seen()),
        actions.Update(UUID, {"batchSize": 5}, frozenset(), {"batchSize": 10}),
    ),
    "a field differs that was as in the spec": (
        made({**SQS, "batchSize": 5}, was_in_sync=True),
        found(seen()),
        actions.Update(UUID, {"batchSize": 5}, frozenset(), {"batchSize": 10}, drift=True),
    ),
    "a field is new": (
        made({**SQS, "batchSize": 5}, applied_fields=frozenset({"functionName", "eventSourceARN"})),
        found(seen()),
        actions.Update(UUID, {"batchSize": 5}, frozenset(), {"batchSize": 10}),
    ),
    "a field differs, tags unseen": (made({**SQS, "batchSize": 5}), found(UNSEEN_TAGS), actions.ListTags(UUID)),
    "a field was removed": (
        made(applied_fields=frozenset({"batchSize"})),
        found(seen(BatchSize=5)),
        actions.Update(UUID, {}, frozenset({"batchSize"}), {"batchSize": 5}),
    ),
    "a structure was removed": (
        made(applied_fields=frozenset({"scalingConfig.maximumConcurrency"})),
        found(seen(ScalingConfig={"MaximumConcurrency": 5})),
        actions.Update(
            UUID,
            {},
            frozenset({"scalingConfig.maximumConcurrency"}),
            {"scalingConfig.maximumConcurrency": 5},
        ),
    ),
    "a removed field has AWS's default": (made(applied_fields=frozenset({"batchSize"})), found(seen()), actions.NoOp()),
    "a field that was never set": (made(), found(seen(BatchSize=5)), actions.NoOp()),
    "filters that List hides": (
        made({**SQS, "filterCriteria": {"filters": [{"pattern": "{}"}]}, "kmsKeyARN": "key"}),
        found(replace(seen(KMSKeyArn="key"), filters_hidden=True)),
        actions.NoOp(),
    ),
    "filters with other white space": (
        made({**SQS, "filterCriteria": {"filters": [{"pattern": '{"a": [1]}'}]}}),
        found(seen(FilterCriteria={"Filters": [{"Pattern": '{ "a":[1] }'}]})),
        actions.NoOp(),
    ),
    "a function by its ARN": (
        made({**SQS, "functionName": f"arn:aws:lambda:{HERE}:function:orders:$LATEST"}),
        found(seen()),
        actions.NoOp(),
    ),
    "disabled by hand": (
        made({**SQS, "enabled": True}, was_in_sync=True),
        found(seen(state="Disabled")),
        actions.Update(UUID, {"enabled": True}, frozenset(), {"enabled": False}, drift=True),
    ),
    "the spec had enabled: false, and lacks it now": (
        made(applied_fields=frozenset({"enabled"}), was_in_sync=True),
        found(seen(state="Disabled")),
        actions.Update(UUID, {}, frozenset({"enabled"}), {"enabled": False}, drift=True),
    ),
    "disabled by hand, and never in the spec": (made(), found(seen(state="Disabled")), actions.NoOp()),
    "disabled by AWS, and in the spec": (
        made({**SQS, "enabled": True}, was_in_sync=True),
        found(replace(seen(state="Disabled"), disabled_because="Lambda initiated")),
        actions.Update(UUID, {"enabled": True}, frozenset(), {"enabled": False}, drift=True),
    ),
    "disabled by AWS, and never in the spec": (
        made(),
        found(replace(seen(state="Disabled"), disabled_because="Lambda initiated")),
        actions.NoOp(),
    ),
    "to be disabled": (
        made({**SQS, "enabled": False}),
        found(seen()),
        actions.Update(UUID, {"enabled": False}, frozenset(), {"enabled": True}),
    ),
    "emptied, AWS has another value": (
        made({**SQS, "functionResponseTypes": [], "filterCriteria": {"filters": []}}),
        found(
            seen(
                FunctionResponseTypes=["ReportBatchItemFailures"],
                FilterCriteria={"Filters": [{"Pattern": "{}"}]},
            )
        ),
        actions.Update(
            UUID,
            {},
            frozenset({"functionResponseTypes", "filterCriteria"}),
            {"functionResponseTypes": ("ReportBatchItemFailures",), "filterCriteria": ("{}",)},
        ),
    ),
    "emptied, AWS has the default": (
        made({**SQS, "functionResponseTypes": [], "filterCriteria": {"filters": []}}),
        found(seen(FunctionResponseTypes=[])),
        actions.NoOp,
    ),
    "unresettable": (
        made(MSK, applied_fields=frozenset({"maximumBatchingWindowInSeconds"})),
        found(seen(EventSourceArn=MSK["eventSourceARN"], Topics=["orders"], MaximumBatchingWindowInSeconds=30)),
        actions.NoOp(),
    ),
    # Fields that AWS keeps, and members that it refused
    "gone from the spec, and AWS keeps it": (
        made(applied_fields=frozenset({"kmsKeyARN"}), kept=frozenset({"kmsKeyARN"})),
        found(seen(KMSKeyArn="key")),
        actions.NoOp(),
    ),
    "AWS kept it, and the spec sets it again": (
        made({**SQS, "kmsKeyARN": "other"}, kept=frozenset({"kmsKeyARN"})),
        found(seen(KMSKeyArn="key")),
        actions.Update(UUID, {"kmsKeyARN": "other"}, frozenset(), {"kmsKeyARN": "key"}),
    ),
    "AWS refused to reset it before the last edit: the edit comes first": (
        made(
            {**SQS, "batchSize": 5},
            applied_fields=frozenset({"batchSize", "kmsKeyARN"}),
            refused_before=frozenset({"kmsKeyARN"}),
        ),
        found(seen(KMSKeyArn="key")),
        actions.Update(UUID, {"batchSize": 5}, frozenset(), {"batchSize": 10}),
    ),
    "the same, and nothing else is left": (
        made(applied_fields=frozenset({"kmsKeyARN"}), refused_before=frozenset({"kmsKeyARN"})),
        found(seen(KMSKeyArn="key")),
        actions.Update(UUID, {}, frozenset({"kmsKeyARN"}), {"kmsKeyARN": "key"}),
    ),
    "AWS refused one member: the others": (
        made({**SQS, "batchSize": 5, "kmsKeyARN": "key"}),
        replace(found(seen()), refused={frozenset({"BatchSize"}): "No."}),
        actions.Update(UUID, {"kmsKeyARN": "key"}, frozenset(), {"kmsKeyARN": None}),
    ),
    "AWS refused two together and names one: the other": (
        made({**SQS, "batchSize": 5, "kmsKeyARN": "key"}),
        replace(found(seen()), refused={frozenset({"BatchSize", "KMSKeyArn"}): "Batch size must be another."}),
        actions.Update(UUID, {"kmsKeyARN": "key"}, frozenset(), {"kmsKeyARN": None}),
    ),
    "AWS refused all that differs: the tags": (
        replace(made({**SQS, "batchSize": 5}), tags={"team": "shop", **OWNER.tags()}),
        replace(found(seen()), refused={frozenset({"BatchSize"}): "No."}),
        actions.Tag(UUID, {"team": "shop"}, frozenset()),
    ),
    "AWS refused all that differs, and its tags were not seen": (
        made({**SQS, "batchSize": 5}),
        replace(found(UNSEEN_TAGS), refused={frozenset({"BatchSize"}): "No."}),
        actions.NoOp(),
    ),
    # Tags that were not seen lately
    "changed by somebody who may own it by now": (
        replace(made({**SQS, "batchSize": 5}), was_in_sync=True),
        found(STALE),
        actions.ListTags(UUID),
    ),
    "changed by somebody, seen while AWS was at it": (
        made({**SQS, "batchSize": 5}),
        found(STALE),
        actions.ListTags(UUID),
    ),
    "edited in Kubernetes": (replace(made({**SQS, "batchSize": 5}), edited=True), found(STALE), actions.Update),
    "in the way, owner not seen lately": (
        wanted(),
        candidates(replace(seen(OTHER), tags_fresh=False)),
        actions.ListTags(UUID),
    ),
    "some owner tags taken off, but not the uid": (
        made(),
        found(replace(seen(), tags={"esm-operator.io/uid": OWNER.uid})),
        actions.Tag,
    ),
    # Immutable fields
    "an immutable field was changed": (
        replace(made(KINESIS), values=MappingSpec.parse({**KINESIS, "startingPosition": "TRIM_HORIZON"}).values),
        found(seen()),
        actions.Stall,
    ),
    "the referred source has another ARN": (
        replace(
            made(KINESIS),
            values=MappingSpec.parse({**KINESIS, "eventSourceARN": f"{KINESIS['eventSourceARN']}-2"}).values,
            referenced=frozenset({"eventSourceARN"}),
        ),
        found(seen()),
        actions.Stall("ImmutableFieldChanged", "Reference", {"fields": ("eventSourceARN",)}),
    ),
    "an immutable field was changed, Recreate": (
        TO_REPLACE,
        Observation(swept=True, mapping=seen(), candidates=(seen(),)),
        actions.Replace(UUID, ("startingPosition",)),
    ),
    "the same, its tags not seen lately": (
        TO_REPLACE,
        Observation(swept=True, mapping=STALE, candidates=(STALE,)),
        actions.ListTags(UUID),
    ),
    "the same, but another's would be in the way of the new one": (
        TO_REPLACE,
        Observation(swept=True, mapping=seen(), candidates=(seen(), seen(OTHER, uuid=SECOND))),
        actions.Conflict,
    ),
    "the same, but another one with unread tags has the identity of the new one": (
        TO_REPLACE,
        Observation(swept=True, mapping=seen(), candidates=(seen(), replace(UNSEEN_TAGS, uuid=SECOND))),
        actions.ListTags(SECOND),
    ),
    "the same, but nothing may be created": (
        replace(TO_REPLACE, adoption=Adoption("Required")),
        Observation(swept=True, mapping=seen(), candidates=(seen(),)),
        actions.Stall,
    ),
    "the same, and AWS is at work on it": (TO_REPLACE, found(seen(state="Deleting")), actions.Wait),
    "another source": (TO_MOVE, found(seen()), actions.Create(replaces=UUID)),
    "another source, before the sweep": (TO_MOVE, Observation(swept=False, mapping=seen()), plan.SWEEPING),
    "another source, with the intent of the old one": (
        replace(TO_MOVE, intent_current=False),
        found(seen()),
        actions.AddFinalizer(),
    ),
    "another source, with an intent that may still be carried out": (
        replace(TO_MOVE, intent_current=False),
        Observation(swept=True, mapping=seen(), unsettled=True),
        plan.UNSETTLED,
    ),
    "another function, while a Create of the old one may still be carried out": (
        replace(made(), values=MappingSpec.parse({**SQS, "functionName": "payments"}).values),
        Observation(swept=True, mapping=seen(), unsettled=True),
        plan.UNSETTLED,
    ),
    "another batch size, while a Create may still be carried out": (
        replace(made(), values=MappingSpec.parse({**SQS, "batchSize": 5}).values),
        Observation(swept=True, mapping=seen(), unsettled=True),
        actions.Update,
    ),
    "another source, the new mapping exists": (
        TO_MOVE,
        Observation(swept=True, mapping=seen(), candidates=(seen(uuid=SECOND),)),
        actions.Replace(UUID, ("eventSourceARN",), SECOND),
    ),
    "another source, the new mapping exists, tags of the old one not read recently": (
        TO_MOVE,
        Observation(swept=True, mapping=STALE, candidates=(seen(uuid=SECOND),)),
        actions.ListTags(UUID),
    ),
    "another source, somebody else's mapping exists there": (
        replace(TO_MOVE, adoption=Adoption("IfExists")),
        Observation(swept=True, mapping=seen(), candidates=(seen(None, uuid=SECOND),)),
        actions.Conflict,
    ),
    "another source, one with unseen tags exists there": (
        TO_MOVE,
        Observation(swept=True, mapping=seen(), candidates=(replace(UNSEEN_TAGS, uuid=SECOND),)),
        actions.ListTags(SECOND),
    ),
    "another source, the old mapping is gone": (
        TO_MOVE,
        Observation(swept=True, gone=True, candidates=(seen(uuid=SECOND),)),
        actions.RecordUUID(SECOND),
    ),
    "a third source, and the second was created": (
        TO_MOVE,
        Observation(swept=True, mapping=seen(), intended=(seen(uuid=SECOND),)),
        actions.Discard(SECOND),
    ),
    "a replacement called off": (
        made(),
        Observation(swept=True, mapping=seen(), candidates=(seen(),), intended=(seen(uuid=SECOND),)),
        actions.Discard(SECOND),
    ),
    "a replacement called off, tags of the second not read recently": (
        made(),
        Observation(swept=True, mapping=seen(), candidates=(seen(),), intended=(replace(STALE, uuid=SECOND),)),
        actions.ListTags(SECOND),
    ),
    "a replacement called off, AWS at work on the second": (
        made(),
        Observation(swept=True, mapping=seen(), candidates=(seen(),), intended=(seen(uuid=SECOND, state="Creating"),)),
        actions.Wait,
    ),
    "adopted with another value, then corrected": (
        made(KINESIS, recreate=True, applied_immutable=differences.immutable_texts(TO_REPLACE.values)),
        found(seen(EventSourceArn=KINESIS["eventSourceARN"], StartingPosition="LATEST")),
        actions.NoOp(),
    ),
    "an immutable field that AWS filled in": (
        made(MSK),
        found(seen(EventSourceArn=MSK["eventSourceARN"], Topics=["orders"], StartingPosition="TRIM_HORIZON")),
        actions.NoOp(),
    ),
    "another topic, the same consumer group": (
        edited(msk("shop"), msk("shop", topics=["returns"]), recreate=True),
        found(seen_msk("shop")),
        actions.Replace(UUID, ("topics",), consumer_group="shop"),
    ),
    "another topic, the same consumer group, its tags not seen lately": (
        edited(msk("shop"), msk("shop", topics=["returns"]), recreate=True),
        found(replace(seen_msk("shop"), tags_fresh=False)),
        actions.ListTags(UUID),
    ),
    "another topic, the same consumer group, and replacePolicy is Never": (
        edited(msk("shop"), msk("shop", topics=["returns"])),
        found(seen_msk("shop")),
        actions.Stall,
    ),
    "another topic, the same consumer group, somebody else's mapping reads that topic": (
        edited(msk("shop"), msk("shop", topics=["returns"]), recreate=True),
        Observation(
            swept=True,
            mapping=seen_msk("shop"),
            candidates=(replace(seen_msk("other", Topics=["returns"]), uuid=SECOND, tags=OTHER.tags()),),
        ),
        actions.Conflict,
    ),
    "another topic, the same consumer group, the new mapping exists": (
        edited(msk("shop"), msk("shop", topics=["returns"]), recreate=True),
        Observation(
            swept=True,
            mapping=seen_msk("shop"),
            candidates=(replace(seen_msk("shop", Topics=["returns"]), uuid=SECOND),),
        ),
        actions.Replace(UUID, ("topics",), SECOND),
    ),
    "another topic, the same consumer group, the old mapping is gone": (
        edited(msk("shop"), msk("shop", topics=["returns"]), recreate=True),
        GONE,
        actions.Create(replaces=UUID),
    ),
    "another starting position, the same consumer group": (
        edited(msk("shop", startingPosition="LATEST"), msk("shop", startingPosition="TRIM_HORIZON"), recreate=True),
        Observation(swept=True, mapping=seen_msk("shop", StartingPosition="LATEST"), candidates=(seen_msk("shop"),)),
        actions.Replace(UUID, ("startingPosition",), consumer_group="shop"),
    ),
    "another topic, and the group that AWS made up is named": (
        edited(msk(), msk(UUID, topics=["returns"]), recreate=True),
        found(seen_msk(UUID)),
        actions.Replace(UUID, ("topics",), consumer_group=UUID),
    ),
    "another topic, and a group that AWS makes up": (
        edited(msk(), msk(topics=["returns"]), recreate=True),
        found(seen_msk(UUID)),
        actions.Create(replaces=UUID),
    ),
    "another topic and another consumer group": (
        edited(msk("shop"), msk("returns", topics=["returns"]), recreate=True),
        found(seen_msk("shop")),
        actions.Create(replaces=UUID),
    ),
    "another cluster, the same consumer group": (
        edited(msk("shop"), msk("shop", eventSourceARN=MSK["eventSourceARN"] + "-2"), recreate=True),
        found(seen_msk("shop")),
        actions.Create(replaces=UUID),
    ),
    "another cluster, the same consumer group, and AWS has named the mapping of this resource": (
        edited(msk("shop"), msk("shop", eventSourceARN=MSK["eventSourceARN"] + "-2"), recreate=True),
        Observation(swept=True, mapping=seen_msk("shop"), candidates=(seen_msk("shop"),)),
        actions.Replace(UUID, ("eventSourceARN",)),
    ),
    "another topic of servers that overlap, the same consumer group": (
        edited(self_managed("a", "b"), self_managed("b", "c", topics=["returns"]), recreate=True),
        found(seen_self_managed("a", "b")),
        actions.Replace(
            UUID,
            ("selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS", "topics"),
            consumer_group="shop",
        ),
    ),
    "another topic, and a mapping with it is being deleted": (
        edited(msk("shop"), msk("shop", topics=["returns"]), recreate=True),
        Observation(
            swept=True,
            mapping=seen_msk("shop"),
            leaving=(replace(seen_msk("other", Topics=["returns"]), uuid=SECOND, state="Deleting"),),
        ),
        actions.Wait,
    ),
    "another topic, but another resource had a mapping with it": (
        edited(msk("shop"), msk("shop", topics=["returns"]), recreate=True),
        Observation(swept=True, mapping=seen_msk("shop"), holder="shop/older"),
        actions.Conflict,
    ),
    "another consumer group, but another resource had a mapping in it": (
        edited(msk("shop"), msk("returns"), recreate=True),
        replace(found(seen_msk("shop")), candidates=(seen_msk("shop"),), holder="shop/older"),
        actions.Conflict,
    ),
    "another consumer group, and a mapping in it is being deleted": (
        edited(msk("shop"), msk("returns"), recreate=True),
        replace(
            found(seen_msk("shop")),
            candidates=(seen_msk("shop"),),
            same_group=(replace(seen_msk("returns", Topics=["x"]), uuid=SECOND, state="Deleting"),),
        ),
        actions.Wait,
    ),
    "another position, after AWS has named the own mapping in the consumer group": (
        edited(msk("shop", startingPosition="LATEST"), msk("shop", startingPosition="TRIM_HORIZON"), recreate=True),
        replace(found(seen_msk("shop")), candidates=(seen_msk("shop"),), same_group=(seen_msk("shop"),)),
        actions.Replace(UUID, ("startingPosition",), consumer_group="shop"),
    ),
    "other servers, the same consumer group": (
        edited(self_managed("a"), self_managed("b"), recreate=True),
        found(seen_self_managed("a")),
        actions.Create(replaces=UUID),
    ),
    "none, one in the same consumer group is being deleted": (
        wanted(msk("shop")),
        Observation(swept=True, same_group=(replace(seen_msk("shop", Topics=["returns"]), state="Deleting"),)),
        actions.Wait,
    ),
    "none, another's is in the same consumer group": (
        wanted(msk("shop"), adoption=Adoption("IfExists")),
        Observation(swept=True, same_group=(replace(seen_msk("shop", Topics=["returns"]), tags=OTHER.tags()),)),
        actions.Conflict,
    ),
    "none, nobody's is in the same consumer group": (
        wanted(msk("shop"), adoption=Adoption("IfExists")),
        Observation(swept=True, same_group=(replace(seen_msk("shop", Topics=["returns"]), tags={}),)),
        actions.Conflict,
    ),
    "none, one with unseen tags is in the same consumer group": (
        wanted(msk("shop")),
        Observation(swept=True, same_group=(replace(seen_msk("shop"), tags=None),)),
        actions.ListTags(UUID),
    ),
    "going, another's is in the same consumer group": (
        wanted(msk("shop"), deleting=True),
        Observation(swept=True, same_group=(replace(seen_msk("shop"), tags=OTHER.tags()),)),
        actions.RemoveFinalizer(),
    ),
    "another topic and another consumer group, which another's is in": (
        edited(msk("shop"), msk("returns", topics=["returns"]), recreate=True),
        Observation(
            swept=True,
            mapping=seen_msk("shop"),
            same_group=(replace(seen_msk("returns"), uuid=SECOND, tags=OTHER.tags()),),
        ),
        actions.Conflict,
    ),
    "another database": (
        edited(DOCUMENTDB, documentdb(databaseName="returns")),
        found(seen_documentdb()),
        actions.Stall,
    ),
    "another collection": (
        edited(documentdb("open"), documentdb("closed")),
        found(seen_documentdb(CollectionName="open")),
        actions.Stall,
    ),
    "another collection, Recreate": (
        edited(documentdb("open"), documentdb("closed"), recreate=True),
        found(seen_documentdb(CollectionName="open")),
        actions.Create(replaces=UUID),
    ),
    "another collection, the new mapping exists": (
        edited(documentdb("open"), documentdb("closed"), recreate=True),
        Observation(
            swept=True,
            mapping=seen_documentdb(CollectionName="open"),
            candidates=(replace(seen_documentdb(CollectionName="closed"), uuid=SECOND),),
        ),
        actions.Replace(UUID, ("documentDBEventSourceConfig.collectionName",), SECOND),
    ),
    "a collection was added": (edited(DOCUMENTDB, documentdb("open")), found(seen_documentdb()), actions.Stall),
    "a collection was removed": (
        edited(documentdb("open"), DOCUMENTDB),
        found(seen_documentdb(CollectionName="open")),
        actions.Stall,
    ),
    "adopted with a collection that the spec does not name": (
        made(DOCUMENTDB),
        found(seen_documentdb(CollectionName="open")),
        actions.NoOp(),
    ),
    "adopted with another collection": (
        made(documentdb("open")),
        found(seen_documentdb(CollectionName="closed")),
        actions.NoOp(),
    ),
    "adopted with another collection, then corrected": (
        edited(documentdb("open"), documentdb("closed"), recreate=True),
        found(seen_documentdb(CollectionName="closed")),
        actions.NoOp(),
    ),
    "another setting of full documents": (
        edited(documentdb("open"), documentdb("open", fullDocument="Default")),
        found(seen_documentdb(CollectionName="open")),
        actions.Update(
            UUID,
            {"documentDBEventSourceConfig.fullDocument": "Default"},
            frozenset(),
            {"documentDBEventSourceConfig.fullDocument": "UpdateLookup"},
        ),
    ),
    "a virtual host was changed": (
        made(
            MQ,
            applied_immutable=differences.immutable_texts(MappingSpec.parse(MQ).values)
            | {"sourceAccessConfigurations[VIRTUAL_HOST]": "/b"},
        ),
        found(seen(SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": "secret"}])),
        actions.Stall,
    ),
    "access configurations in another order": (
        made(MQ),
        found(
            seen(
                SourceAccessConfigurations=[
                    {"Type": "VIRTUAL_HOST", "URI": "/a"},
                    {"Type": "BASIC_AUTH", "URI": "secret"},
                ]
            )
        ),
        actions.NoOp(),
    ),
    # Tags
    "a tag is new": (
        made(tags={"team": "shop"}, known_tags=OWNER.tags()),
        found(seen()),
        actions.Tag(UUID, {"team": "shop"}, frozenset()),
    ),
    "a tag is new, tags unseen": (
        made(tags={"team": "shop"}, known_tags=OWNER.tags()),
        found(UNSEEN_TAGS),
        actions.ListTags(UUID),
    ),
    "a tag was noted before a kill, and the spec does not name it any more": (
        made(applied_tags=frozenset({"team", *OWNER_TAGS}), known_tags=OWNER.tags()),
        found(UNSEEN_TAGS),
        actions.ListTags(UUID),
    ),
    "a tag was changed": (
        made(tags={"team": "shop"}),
        found(replace(seen(), tags={**OWNER.tags(), "team": "else"})),
        actions.Tag(UUID, {"team": "shop"}, frozenset()),
    ),
    "a tag was removed": (
        made(applied_tags=frozenset({"team", *OWNER_TAGS})),
        found(replace(seen(), tags={**OWNER.tags(), "team": "shop", "foreign": "stays"})),
        actions.Tag(UUID, {}, frozenset({"team"})),
    ),
    "a foreign tag": (made(), found(replace(seen(), tags={**OWNER.tags(), "foreign": "stays"})), actions.NoOp()),
    "another incarnation of the resource": (
        made(),
        found(seen(replace(OWNER, uid="uid-0"))),
        actions.Tag(UUID, {"esm-operator.io/uid": "uid-1"}, frozenset()),
    ),
    # Fields and tags that ignoreChanges leaves to others
    "an ignored field differs": (
        made({**SQS, "batchSize": 5, "ignoreChanges": ["batchSize"]}),
        found(seen(BatchSize=7)),
        actions.NoOp(),
    ),
    "an ignored field is unset in AWS": (
        made({**SQS, "scalingConfig": {"maximumConcurrency": 5}, "ignoreChanges": ["scalingConfig"]}),
        found(seen()),
        actions.NoOp(),
    ),
    "an ignored field differs, and another one": (
        made({**SQS, "batchSize": 5, "kmsKeyARN": "key", "ignoreChanges": ["batchSize"]}),
        found(seen(BatchSize=7)),
        actions.Update(UUID, {"kmsKeyARN": "key"}, frozenset(), {"kmsKeyARN": None}),
    ),
    "an ignored field was removed from the spec": (
        made({**SQS, "ignoreChanges": ["batchSize"]}, applied_fields=frozenset({"batchSize"})),
        found(seen(BatchSize=7)),
        actions.NoOp(),
    ),
    "an ignored field is empty in the spec": (
        made({**SQS, "functionResponseTypes": [], "ignoreChanges": ["functionResponseTypes"]}),
        found(seen(FunctionResponseTypes=["ReportBatchItemFailures"])),
        actions.NoOp(),
    ),
    "a field is no longer ignored": (
        replace(made({**SQS, "batchSize": 5}), edited=True),
        found(seen(BatchSize=7)),
        actions.Update(UUID, {"batchSize": 5}, frozenset(), {"batchSize": 7}),
    ),
    "an ignored mapping is disabled": (
        made({**SQS, "enabled": True, "ignoreChanges": ["enabled"]}, was_in_sync=True),
        found(seen(state="Disabled")),
        actions.NoOp(),
    ),
    "a part of a structure is ignored": (
        made(
            msk(
                provisionedPollerConfig={"minimumPollers": 2, "maximumPollers": 5},
                ignoreChanges=["provisionedPollerConfig.maximumPollers"],
            )
        ),
        found(seen_msk(UUID, ProvisionedPollerConfig={"MinimumPollers": 1, "MaximumPollers": 50})),
        actions.Update(
            UUID,
            {"provisionedPollerConfig.minimumPollers": 2},
            frozenset(),
            {"provisionedPollerConfig.minimumPollers": 1},
        ),
    ),
    "an ignored immutable field was changed": (
        made(
            {**KINESIS, "startingPosition": "TRIM_HORIZON", "ignoreChanges": ["startingPosition"]},
            applied_immutable=differences.immutable_texts(MappingSpec.parse(KINESIS).values),
        ),
        found(seen(EventSourceArn=KINESIS["eventSourceARN"], StartingPosition="LATEST")),
        actions.NoOp(),
    ),
    "the same, with Recreate": (
        made(
            {**KINESIS, "startingPosition": "TRIM_HORIZON", "ignoreChanges": ["startingPosition"]},
            applied_immutable=differences.immutable_texts(MappingSpec.parse(KINESIS).values),
            recreate=True,
        ),
        found(seen(EventSourceArn=KINESIS["eventSourceARN"], StartingPosition="LATEST")),
        actions.NoOp(),
    ),
    "an ignored virtual host was changed": (
        made(
            {**MQ, "ignoreChanges": ["sourceAccessConfigurations"]},
            applied_immutable=differences.immutable_texts(MappingSpec.parse(MQ).values)
            | {"sourceAccessConfigurations[VIRTUAL_HOST]": "/b"},
        ),
        found(seen(SourceAccessConfigurations=[{"Type": "VIRTUAL_HOST", "URI": "/b"}])),
        actions.NoOp(),
    ),
    "an ignored tag was changed, and another one": (
        made({**SQS, "ignoreChanges": ["tags.team"]}, tags={"team": "shop", "stage": "live"}),
        found(replace(seen(), tags={**OWNER.tags(), "team": "else", "stage": "test"})),
        actions.Tag(UUID, {"stage": "live"}, frozenset()),
    ),
    "an ignored tag was removed from the spec": (
        made({**SQS, "ignoreChanges": ["tags.team"]}, applied_tags=frozenset({"team", *OWNER_TAGS})),
        found(replace(seen(), tags={**OWNER.tags(), "team": "shop"})),
        actions.NoOp(),
    ),
    "an ignored tag was removed from the spec, tags unseen": (
        made({**SQS, "ignoreChanges": ["tags.team"]}, applied_tags=frozenset({"team", *OWNER_TAGS})),
        found(UNSEEN_TAGS),
        actions.NoOp(),
    ),
    "all tags are ignored": (
        made({**SQS, "ignoreChanges": ["tags"]}, tags={"team": "shop", "stage": "live"}),
        found(replace(seen(), tags={**OWNER.tags(), "team": "else"})),
        actions.NoOp(),
    ),
    "all tags are ignored, and an owner tag was changed": (
        made({**SQS, "ignoreChanges": ["tags"]}),
        found(seen(replace(OWNER, uid="uid-0"))),
        actions.Tag(UUID, {"esm-operator.io/uid": "uid-1"}, frozenset()),
    ),
}
