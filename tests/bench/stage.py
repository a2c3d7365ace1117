"""A world while it is there: a control plane, an AWS server and an operator, all fresh, and what is asked of them."""

import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import role
from tests.aws import AwsServer, Control, Settings
from tests.bed import install
from tests.bench import processes
from tests.bench.driver import Driver
from tests.bench.following import Following
from tests.bench.meter import Calls, Meter
from tests.bench.operator import Operator
from tests.bench.progress import until
from tests.bench.results import API_SERVER, AWS, ETCD, Phase, World
from tests.controlplane import ControlPlane

#: Seconds that AWS takes for a transition, and requests a second that it grants.
PACE, QUOTA = 2.0, 15.0
START_TIMEOUT = 120.0
#: Seconds in which what AWS has answered is taken in.
AFTERWARDS = 1.0


@dataclass(frozen=True)
class Stage:
    """All that a phase needs."""

    plane: ControlPlane
    aws: AwsServer
    driver: Driver
    following: Following
    operator: Operator
    calls: Calls
    meter: Meter

    @property
    def control(self) -> Control:
        """The control API of the AWS server."""
        return self.aws.control

    def start(self, arguments: tuple[str, ...] = ()) -> None:
        """Start the operator where there are no resources yet, and wait until it has listed the mappings."""
        self.operator.start(*arguments)
        until(
            "first sweep",
            1,
            lambda: self.calls.now().get("ListEventSourceMappings", 0),
            timeout=START_TIMEOUT,
            check=self.check,
        )
        time.sleep(AFTERWARDS)

    def phase(self, name: str) -> AbstractContextManager[Phase]:
        """Measure what is done within."""
        return self.meter.phase(name)

    def check(self) -> None:
        """Raises if something has ended or failed, so that waiting makes no sense."""
        self.operator.check()
        self.following.check()

    def until(self, what: str, total: int, count: Callable[[], int], *, timeout: float, every: float = 0.1) -> None:
        """Wait until so many are done, see :func:`tests.bench.progress.until`."""
        until(what, total, count, timeout=timeout, check=self.check, every=every)

    @contextmanager
    def meanwhile(self, do: Callable[[Iterable[int]], None], numbers: Iterable[int]) -> Generator[None]:
        """Have the driver do something to resources while the block runs.

        Its failure is raised at the end, also where that was waited for in vain.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="meanwhile") as thread:
            doing = thread.submit(do, numbers)
            try:
                yield
            except BaseException:
                self.driver.give_up()
                if doing.done():
                    doing.result()  # what was waited for can't come
                raise
            doing.result()


@contextmanager
def opened(world: World, logs: Path, save: Callable[[], None], arguments: tuple[str, ...]) -> Generator[Stage]:
    """Everything started but the operator; all of it is stopped at the end, whatever happens.

    Args:
        world: where the results go.
        logs: folder for the operator's log.
        save: called after each phase.
        arguments: flags that the operator has each time.
    """
    with ExitStack() as exits:
        plane = exits.enter_context(ControlPlane())
        install(plane)
        aws = exits.enter_context(AwsServer(Settings(pace=PACE, quota=QUOTA, tagging_quota=QUOTA)))
        operator = Operator(
            kubeconfig=plane.kubeconfig_for(role.NAME, role.NAME),
            endpoint=aws.endpoint,
            log=logs / f"operator-{world.name}.log",
            arguments=arguments,
        )
        operator.log.write_text("")
        exits.callback(operator.stop)
        driver = Driver(plane.kubeconfig)
        driver.make_namespaces()
        following = exits.enter_context(Following(plane.kubeconfig))
        calls = Calls(aws.control)
        folder = plane.kubeconfig.parent
        pids = {AWS: aws.pid, **{name: processes.running_in(folder, name) for name in (API_SERVER, ETCD)}}
        meter = Meter(world, calls=calls, driver=driver, pids=pids, operator=operator.usage, save=save)
        exits.enter_context(meter)
        yield Stage(plane, aws, driver, following, operator, calls, meter)
