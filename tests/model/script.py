"""The language of scripted scenarios: a world, one resource, and short methods that change both."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from esm_operator.api.resource import Key
from esm_operator.planning.ownership import OWNER_TAGS, Owner
from tests.model.aws import QUEUE, STREAM, Lambda, Standing
from tests.model.calls import Call
from tests.model.objects import ACK_STREAM, CONFIG_MAP, NAMES, ORDERS, with_arn
from tests.model.promises import Promises
from tests.model.world import CLUSTER_NAME, SWEEP_INTERVAL

#: The resource of a scenario that needs only one.
ONE = Key("a", "one")
#: Another resource.
TWO = Key("a", "two")
#: Specs of a queue and of a stream.
SQS: Mapping[str, Any] = {"functionName": "orders", "eventSourceARN": QUEUE}
KINESIS: Mapping[str, Any] = {"functionName": "orders", "eventSourceARN": STREAM, "startingPosition": "LATEST"}
#: Simulated seconds after which all promises must hold. Longer than any back-off.
LONGEST = 3600.0
#: Steps within which an expected request must be sent.
_MOST_STEPS = 10_000
#: More events than any watch has.
_ALL = 10_000


class Script:
    """One scenario. The test determines each event, and everything else succeeds."""

    def __init__(self, promises: Promises) -> None:
        self.promises = promises
        self.world = self.promises.world
        self.aws = self.world.aws
        self.cluster = self.world.cluster
        self.objects = self.cluster.objects

    # The objects that resources reference

    def set_names(self, *, function: str = "orders", topic: str = "orders") -> None:
        """Set the values that ``FUNCTION_REF`` and ``TOPIC_REF`` refer to."""
        self.world.log(f"the ConfigMap has the function {function} and the topic {topic}")
        self.objects.put(CONFIG_MAP, NAMES, data={"function": function, "topic": topic})

    def set_source(self, arn: str | None) -> None:
        """Set the value that ``SOURCE_REF`` refers to. None: the object has no value yet."""
        self.world.log(f"the stream has the ARN {arn}")
        self.objects.put(ACK_STREAM, ORDERS, **with_arn(arn))

    # The resources

    def apply(self, key: Key = ONE, **spec: Any) -> None:
        """Create a resource."""
        self.world.log(f"create {key} {spec}")
        self.cluster.create(key, spec)

    def edit(self, key: Key = ONE, **spec: Any) -> None:
        """Merge fields into the spec of a resource."""
        self.world.log(f"edit {key} {spec}")
        self.cluster.edit(key, {"spec": spec})

    def delete(self, key: Key = ONE) -> None:
        """Delete a resource."""
        self.world.log(f"delete {key}")
        self.cluster.delete(key)

    def status(self, key: Key = ONE) -> Mapping[str, Any]:
        """The status of a resource."""
        return self.cluster.mappings[key]["status"]

    def reason(self, key: Key = ONE) -> str:
        """The reason of a resource's condition Ready. Empty: there is no condition."""
        conditions = self.status(key).get("conditions") or ()
        return next((one["reason"] for one in conditions if one["type"] == "Ready"), "")

    def said(self, reason: str) -> bool:
        """Whether any status that the operator wrote had this reason."""
        return any(reason in line for line in self.world.history if " PATCH " in line)

    def gone(self, key: Key = ONE) -> bool:
        """Whether the resource does not exist."""
        return key not in self.cluster.mappings

    # AWS

    def mapping(self) -> Standing:
        """The only mapping in AWS."""
        (one,) = self.aws.standing.values()
        return one

    def of_source(self, source: str) -> Standing:
        """The only mapping in AWS with this source."""
        (one,) = [one for one in self.aws.standing.values() if one.source == source]
        return one

    # Events

    def begin(self) -> None:
        """Start the operator, and wait until it is idle."""
        self.world.start()
        self.calmly(SWEEP_INTERVAL + 60)

    def calmly(self, seconds: float = 0.0) -> None:
        """Let seconds pass without faults, and check the promises that hold at every moment."""
        self.world.calm()
        self.world.pass_time(seconds, calmly=True)
        self.check()

    def until(self, asked: Callable[[Call], bool]) -> Call:
        """Continue without faults until a request is sent. Returns the request, which waits for its answer."""
        for _ in range(_MOST_STEPS):
            self.world.deliver(len(self.cluster.watch))
            self.world.deliver_objects(_ALL)
            found = next(filter(asked, self.world.waiting), None)
            if found is not None:
                return found
            for call in list(self.world.waiting):
                self.world.decide(call, "well")
            if not self.world.waiting and not self.cluster.watch and not self.objects.undelivered:
                self.world.pass_time(1)
        raise AssertionError("The request that is waited for is not sent")

    def until_asked(self, operation: str) -> Call:
        """Continue without faults until an AWS operation is called. Returns the request, which waits for its answer."""
        return self.until(lambda call: call.name == operation)

    # Checks

    def check(self) -> None:
        """Check the promises that hold at every moment."""
        self.promises.check()

    def converge(self) -> None:
        """Continue without faults until all promises hold, and check that they continue to hold."""
        passed, step = 0.0, 2 * SWEEP_INTERVAL
        while True:
            self.calmly(step)
            missing = self.promises.missing()
            passed += step
            if not missing:
                break
            assert passed <= LONGEST, "It does not converge: " + "; ".join(missing)
            step = 120.0
        self.calmly(2 * SWEEP_INTERVAL)
        assert self.promises.missing() == []


@contextmanager
def a_script(promises: Promises | None = None) -> Generator[Script]:
    """A scenario. It ends with the context."""
    script = Script(promises if promises is not None else Promises())
    with script.world.watched():
        try:
            yield script
        except AssertionError:
            print("\n".join(script.world.history))
            raise
        finally:
            script.world.end()


def forge(script: Script, key: Key, uuid: str) -> None:
    """Write to the status of a resource that it owns a mapping, as a user may who can patch statuses."""
    uid = script.cluster.mappings[key]["metadata"]["uid"]
    tags = Owner(CLUSTER_NAME, key.namespace, key.name, uid).tags()
    forged = {"uuid": uuid, "applied": {"tags": sorted(OWNER_TAGS)}, "tagsAll": tags, "conditions": None}
    script.cluster.edit(key, {"status": forged})


def answer_all_but(script: Script, held: Call) -> None:
    """Deliver all watch events and answer all requests except one, until the operator is idle."""
    for _ in range(20):
        script.world.deliver(len(script.cluster.watch))
        script.world.deliver_objects(_ALL)
        for call in [one for one in script.world.waiting if one is not held]:
            script.world.decide(call, "well")


def answers(script: Script, operation: str, otherwise: Callable[[Callable[..., Any], dict[str, Any]], Any]) -> None:
    """Replace the answers of an AWS operation. The function gets the real operation and the parameters."""
    really: Callable[..., Any] = getattr(script.aws, operation)

    @wraps(really)
    def answer(**asked: Any) -> Any:
        return otherwise(really, asked)

    setattr(script.aws, operation, answer)


def as_ever(script: Script, operation: str) -> None:
    """Undo the replacement of the answers of an operation."""
    setattr(script.aws, operation, getattr(Lambda, operation).__get__(script.aws))


def killed_before_the_note(script: Script) -> None:
    """Let AWS create a mapping, and kill the operator before the answer arrives."""
    creation = script.until_asked("create_event_source_mapping")
    script.world.decide(creation, "carried out")
    script.world.crash()
