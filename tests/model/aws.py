"""The simulated AWS: event source mappings of one account and region, as ``boto3.client("lambda")`` shows them.

It is as small as the model test allows, and has the difficult behaviour of AWS: identities conflict, a consumer group
takes one mapping, transitions take time and refuse changes, the items of pages shift while mappings are created and
deleted, and no answer has tags. The AWS server of the end-to-end tests has more detail and is checked against
recordings. This one is fast.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
REGION = "eu-west-1"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"
#: A stream in place of the first one.
NEW_STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders-2"
KAFKA = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/orders/1"
#: Items on a page of List. AWS returns 100. With 2, a few mappings already fill several pages.
PAGE = 2
#: Seconds that a transition takes, unless the test ends it earlier.
TRANSITION = 6.0

WINDOW = "MaximumBatchingWindowInSeconds"
#: A batching window that AWS refuses in each Update.
REFUSED_WINDOW = 66
_SETTINGS = (
    "BatchSize",
    WINDOW,
    "FilterCriteria",
    "ScalingConfig",
    "FunctionResponseTypes",
    "ProvisionedPollerConfig",
    "SourceAccessConfigurations",
)
_KAFKA_CONFIG = "AmazonManagedKafkaEventSourceConfig"
_MOVING = ("Creating", "Updating", "Enabling", "Disabling", "Deleting")


def refusal(operation: str, code: str, status: int, message: str) -> ClientError:
    """An error as boto3 raises it."""
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@dataclass
class Standing:
    """One mapping in AWS."""

    uuid: str
    function: str
    """``name`` or ``name:qualifier``."""
    source: str
    position: str
    config: dict[str, Any]
    enabled: bool
    topic: str = ""
    group: str = ""
    """The Kafka consumer group."""
    tags: dict[str, str] = field(default_factory=dict[str, str])
    tags_hidden_until: float = 0.0
    state: str = "Creating"
    due: float = 0.0
    """The time at which the transition ends."""
    result: str = ""
    """The last processing result. Empty: AWS shows none, as for SQS."""
    reason: str = "USER_INITIATED"
    """The state transition reason."""

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{self.uuid}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """Function, source and topic. AWS refuses a second mapping with the same values."""
        return self.function, self.source, self.topic

    @property
    def moving(self) -> bool:
        return self.state in _MOVING

    def answer(self) -> dict[str, Any]:
        """The mapping as Get and List return it."""
        return {
            "UUID": self.uuid,
            "EventSourceMappingArn": self.arn,
            "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function}",
            "EventSourceArn": self.source,
            "State": self.state,
            "StateTransitionReason": self.reason,
            **({"LastProcessingResult": self.result} if self.result else {}),
            **({"StartingPosition": self.position} if self.position else {}),
            **({"Topics": [self.topic], _KAFKA_CONFIG: {"ConsumerGroupId": self.group}} if self.topic else {}),
            **self.config,
        }


class Lambda:
    """The methods of a boto3 client that the operator calls, and the behaviour of AWS."""

    def __init__(self, clock: Any, *, tags_supported: bool = True) -> None:
        """
        Args:
            clock: of the world.
            tags_supported: whether mappings can have tags. If not, only the test knows the tags of ``Standing``. They
                name the resource for which the operator created the mapping.
        """
        self._clock = clock
        self._tags_supported = tags_supported
        self.made_for: Mapping[str, str] = {}
        """Tags that the test knows of the next mapping that is made where AWS takes none."""
        self._made = 0
        self.standing: dict[str, Standing] = {}
        self.tag_delay = 0.0
        """Seconds until the tags of a Create are visible."""
        self.window_refusal = "It can't be."
        """What AWS answers to an Update that resets the batching window; empty: it takes it."""
        self.ignores_window_reset = False
        """Whether AWS keeps the batching window all the same."""

    # Operations of the API

    def create_event_source_mapping(self, **asked: Any) -> dict[str, Any]:
        function, source = _function(asked["FunctionName"]), asked["EventSourceArn"]
        if asked.get("Tags") and not self._tags_supported:
            text = "Tags not supported in request."
            raise refusal("CreateEventSourceMapping", "InvalidParameterValueException", 400, text)
        topic = "".join(asked.get("Topics") or ())
        group = asked.get(_KAFKA_CONFIG, {}).get("ConsumerGroupId", "")
        self._refuse_twin("CreateEventSourceMapping", function, source, topic)
        self._refuse_group(group)
        uuid = self._uuid()
        one = Standing(
            uuid=uuid,
            function=function,
            source=source,
            position=asked.get("StartingPosition", ""),
            config={"BatchSize": default_batch(source), WINDOW: 0, **{k: asked[k] for k in _SETTINGS if k in asked}},
            enabled=asked.get("Enabled", True),
            topic=topic,
            group=group or (uuid if topic else ""),
            tags=dict(asked.get("Tags") or self.made_for),
            tags_hidden_until=self._clock.now + self.tag_delay,
        )
        self.standing[one.uuid] = one
        self._move(one, "Creating")
        return one.answer()

    def update_event_source_mapping(self, **asked: Any) -> dict[str, Any]:
        one = self._find("UpdateEventSourceMapping", asked["UUID"])
        self._refuse_moving("UpdateEventSourceMapping", one)
        function = _function(asked["FunctionName"]) if "FunctionName" in asked else one.function
        if function != one.function:
            self._refuse_twin("UpdateEventSourceMapping", function, one.source, one.topic)
        self._refuse_window(one, asked.get(WINDOW))
        was = one.enabled
        one.reason = "USER_INITIATED"
        one.function = function
        one.enabled = asked.get("Enabled", one.enabled)
        ignored = {WINDOW} if self.ignores_window_reset and asked.get(WINDOW) == 0 else set[str]()
        one.config.update({name: asked[name] for name in _SETTINGS if name in asked and name not in ignored})
        self._move(one, "Updating" if was == one.enabled else "Enabling" if one.enabled else "Disabling")
        return one.answer()

    def delete_event_source_mapping(self, *, UUID: str) -> dict[str, Any]:  # noqa: N803
        one = self._find("DeleteEventSourceMapping", UUID)
        self._refuse_moving("DeleteEventSourceMapping", one)
        self._move(one, "Deleting")
        return one.answer()

    def get_event_source_mapping(self, *, UUID: str) -> dict[str, Any]:  # noqa: N803
        return self._find("GetEventSourceMapping", UUID).answer()

    def list_event_source_mappings(self, **asked: Any) -> dict[str, Any]:
        function = _function(asked["FunctionName"]) if "FunctionName" in asked else ""
        # A function without a qualifier lists all of its mappings, in an order that does not depend on their age.
        found = [one for one in self.standing.values() if not function or one.function == function]
        found.sort(key=lambda one: one.uuid[::-1])
        start = int(asked.get("Marker", 0))
        more = {"NextMarker": str(start + PAGE)} if start + PAGE < len(found) else {}
        return {"EventSourceMappings": [one.answer() for one in found[start : start + PAGE]], **more}

    def list_tags(self, *, Resource: str) -> dict[str, Any]:  # noqa: N803
        return {"Tags": self._visible_tags(self._of_arn("ListTags", Resource))}

    def tag_resource(self, *, Resource: str, Tags: Mapping[str, str]) -> dict[str, Any]:  # noqa: N803
        self._of_arn("TagResource", Resource).tags.update(Tags)
        return {}

    def untag_resource(self, *, Resource: str, TagKeys: list[str]) -> dict[str, Any]:  # noqa: N803
        one = self._of_arn("UntagResource", Resource)
        one.tags = {key: value for key, value in one.tags.items() if key not in TagKeys}
        return {}

    def get_caller_identity(self) -> dict[str, Any]:
        return {"Account": ACCOUNT}

    def get_resources(self, **asked: Any) -> dict[str, Any]:
        """GetResources of the tagging API. It leaves out mappings that never had tags."""
        wanted = asked.get("TagFilters") or ()
        there = self.standing.values() if self._tags_supported else ()
        found = [one for one in there if (tags := self._visible_tags(one)) and _tagged(tags, wanted)]
        start = int(asked.get("PaginationToken") or 0)
        listed = [
            {"ResourceARN": one.arn, "Tags": [{"Key": key, "Value": value} for key, value in one.tags.items()]}
            for one in found[start : start + PAGE]
        ]
        more = str(start + PAGE) if start + PAGE < len(found) else ""
        return {"ResourceTagMappingList": listed, "PaginationToken": more}

    # Transitions, and changes by other tools

    def make(self, function: str, source: str, tags: Mapping[str, str]) -> Standing | None:
        """Create a mapping as another tool does. None: AWS refuses it."""
        more: Mapping[str, Mapping[str, Any]] = {
            STREAM: {"StartingPosition": "LATEST"},
            KAFKA: {"Topics": ["orders"], _KAFKA_CONFIG: {"ConsumerGroupId": "shop"}},
        }
        try:
            answer = self.create_event_source_mapping(
                FunctionName=function, EventSourceArn=source, Tags=tags, **more.get(source, {})
            )
        except ClientError:
            return None
        return self.standing[answer["UUID"]]

    def disable(self, one: Standing) -> None:
        """Disable a mapping as AWS itself does."""
        one.enabled, one.reason = False, "Lambda initiated"
        self._move(one, "Disabling")

    def moving(self) -> list[Standing]:
        """The mappings in transition."""
        return [one for one in self.standing.values() if one.moving]

    def end_transition(self, one: Standing) -> None:
        """End the transition of a mapping."""
        if one.state == "Deleting":
            del self.standing[one.uuid]
        else:
            one.state = "Enabled" if one.enabled else "Disabled"

    def pass_time(self) -> None:
        """End the transitions that are due."""
        for one in self.moving():
            if one.due <= self._clock.now:
                self.end_transition(one)

    def _move(self, one: Standing, state: str) -> None:
        one.state = state
        one.due = self._clock.now + TRANSITION

    def _uuid(self) -> str:
        self._made += 1
        mixed = (self._made * 2654435761) % 2**32  # the UUID shows neither order nor age
        return f"{mixed:08x}-0000-4000-8000-{self._made:012x}"

    def _visible_tags(self, one: Standing) -> dict[str, str]:
        return dict(one.tags) if self._clock.now >= one.tags_hidden_until else {}

    def _find(self, operation: str, uuid: str) -> Standing:
        one = self.standing.get(uuid)
        if one is None:
            raise refusal(operation, "ResourceNotFoundException", 404, "The resource you requested does not exist.")
        return one

    def _of_arn(self, operation: str, arn: str) -> Standing:
        if not self._tags_supported:
            text = f"Unsupported resource type for tagging or invalid arn: {arn}"
            raise refusal(operation, "InvalidParameterValueException", 400, text)
        return self._find(operation, arn.rpartition(":")[2])

    def _refuse_moving(self, operation: str, one: Standing) -> None:
        if one.moving:
            text = "Cannot update the event source mapping because it is in use."
            raise refusal(operation, "ResourceInUseException", 400, text)

    def _refuse_window(self, one: Standing, wanted: int | None) -> None:
        """Refuse one value, and refuse to reset it. AWS's message does not name the member."""
        text = ""
        if wanted == REFUSED_WINDOW != one.config[WINDOW]:
            text = "It can't be."
        elif wanted == 0 and one.config[WINDOW]:
            text = self.window_refusal
        if text:
            raise refusal("UpdateEventSourceMapping", "InvalidParameterValueException", 400, text)

    def _refuse_group(self, group: str) -> None:
        for one in self.standing.values():
            if group and one.group == group:
                text = (
                    f'An event source mapping with event source arn ("{KAFKA}"), '
                    f'amazonManagedKafkaEventSourceConfig.consumerGroupId ("{group}") already exists. Please update or '
                    f"delete the existing mapping with UUID {one.uuid}"
                )
                raise refusal("CreateEventSourceMapping", "ResourceConflictException", 409, text)

    def _refuse_twin(self, operation: str, function: str, source: str, topic: str) -> None:
        for one in self.standing.values():
            if one.identity == (function, source, topic):
                text = (
                    f'An event source mapping with SQS arn (" {source} ") and function (" {function} ") already '
                    f"exists. Please update or delete the existing mapping with UUID {one.uuid}"
                )
                raise refusal(operation, "ResourceConflictException", 409, text)


def identity_of(spec: Mapping[str, Any]) -> tuple[str, str, str]:
    """The identity of the mapping that a resource's effective spec describes."""
    return spec.get("functionName", ""), spec.get("eventSourceARN", ""), "".join(spec.get("topics") or ())


def group_of(spec: Mapping[str, Any]) -> str:
    """The consumer group in a resource's spec. Empty: none."""
    return str((spec.get("amazonManagedKafkaEventSourceConfig") or {}).get("consumerGroupID") or "")


def default_batch(source: str) -> int:
    """The default of BatchSize."""
    return 10 if source == QUEUE else 100


def _function(text: str) -> str:
    return text.rpartition(":function:")[2]


def _tagged(tags: Mapping[str, str], wanted: Iterator[Mapping[str, Any]] | Any) -> bool:
    return all(one["Key"] in tags and (not one.get("Values") or tags[one["Key"]] in one["Values"]) for one in wanted)
