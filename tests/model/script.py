"""The parts of a scripted scenario: a world, one resource, and short ways to move both on."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from esm_operator.api.resource import Key
from tests.model.aws import QUEUE, STREAM, Lambda, Standing
from tests.model.calls import Call
from tests.model.promises import Promises
from tests.model.world import SWEEP_INTERVAL

#: The resource of a scenario that needs only one.
ONE = Key("a", "one")
#: Another one.
TWO = Key("a", "two")
#: Specs of a queue and of a stream.
SQS: Mapping[str, Any] = {"functionName": "orders", "eventSourceARN": QUEUE}
KINESIS: Mapping[str, Any] = {"functionName": "orders", "eventSourceARN": STREAM, "startingPosition": "LATEST"}
#: Simulated seconds after which everything must be as it should; longer than any back-off.
LONGEST = 3600.0
#: Steps after which a request that is waited for should have been sent.
_MOST_STEPS = 1000


class Script:
    """One scenario: the events are given step by step, and all other requests succeed."""

    def __init__(self, promises: Promises) -> None:
        self.promises = promises
        self.world = self.promises.world
        self.aws = self.world.aws
        self.cluster = self.world.cluster

    # The resources

    def apply(self, key: Key = ONE, **spec: Any) -> None:
        """Make a resource."""
        self.world.log(f"create {key} {spec}")
        self.cluster.create(key, spec)

    def edit(self, key: Key = ONE, **spec: Any) -> None:
        """Merge something into a resource's spec."""
        self.world.log(f"edit {key} {spec}")
        self.cluster.edit(key, {"spec": spec})

    def delete(self, key: Key = ONE) -> None:
        """Ask for a resource's deletion."""
        self.world.log(f"delete {key}")
        self.cluster.delete(key)

    def status(self, key: Key = ONE) -> Mapping[str, Any]:
        """The status of a resource."""
        return self.cluster.mappings[key]["status"]

    def reason(self, key: Key = ONE) -> str:
        """The reason of a resource's condition Ready; empty where there is none."""
        conditions = self.status(key).get("conditions") or ()
        return next((one["reason"] for one in conditions if one["type"] == "Ready"), "")

    def said(self, reason: str) -> bool:
        """Whether any status that the operator has written had this reason."""
        return any(reason in line for line in self.world.history if " PATCH " in line)

    def gone(self, key: Key = ONE) -> bool:
        """Whether there is no such resource."""
        return key not in self.cluster.mappings

    # AWS

    def mapping(self) -> Standing:
        """The only mapping in AWS."""
        (one,) = self.aws.standing.values()
        return one

    def of_source(self, source: str) -> Standing:
        """The only mapping in AWS of this source."""
        (one,) = [one for one in self.aws.standing.values() if one.source == source]
        return one

    # What happens

    def begin(self) -> None:
        """The operator starts; all comes to rest."""
        self.world.start()
        self.calmly(SWEEP_INTERVAL + 60)

    def calmly(self, seconds: float = 0.0) -> None:
        """All is well for so many seconds; what must hold at every moment does."""
        self.world.calm()
        self.world.pass_time(seconds, calmly=True)
        self.check()

    def until(self, asked: Callable[[Call], bool]) -> Call:
        """All is well until a request is sent, which is left waiting. Returns it."""
        for _ in range(_MOST_STEPS):
            self.world.deliver(len(self.cluster.watch))
            found = next(filter(asked, self.world.waiting), None)
            if found is not None:
                return found
            for call in list(self.world.waiting):
                self.world.decide(call, "well")
            if not self.world.waiting and not self.cluster.watch:
                self.world.pass_time(1)
        raise AssertionError("The request that is waited for is not sent")

    def until_asked(self, operation: str) -> Call:
        """All is well until AWS is asked for something, which is left waiting. Returns the request."""
        return self.until(lambda call: call.name == operation)

    # What must be

    def check(self) -> None:
        """What must hold at every moment."""
        self.promises.check()

    def converge(self) -> None:
        """All is well until everything is as in the resources; and it stays so."""
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
    """A scenario, which is over at the end."""
    script = Script(promises if promises is not None else Promises())
    with script.world.watched():
        try:
            yield script
        except AssertionError:
            print("\n".join(script.world.history))
            raise
        finally:
            script.world.end()


def answers(script: Script, operation: str, otherwise: Callable[[Callable[..., Any], dict[str, Any]], Any]) -> None:
    """From now on AWS answers an operation otherwise: by a function of its usual answer and of the request."""
    really: Callable[..., Any] = getattr(script.aws, operation)

    @wraps(really)
    def answer(**asked: Any) -> Any:
        return otherwise(really, asked)

    setattr(script.aws, operation, answer)


def as_ever(script: Script, operation: str) -> None:
    """AWS answers an operation as it should again."""
    setattr(script.aws, operation, getattr(Lambda, operation).__get__(script.aws))


def killed_before_the_note(script: Script) -> None:
    """A mapping is made, and the operator killed before it has heard of it."""
    creation = script.until_asked("create_event_source_mapping")
    script.world.decide(creation, "carried out")
    script.world.crash()
