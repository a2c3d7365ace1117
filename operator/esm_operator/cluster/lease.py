"""The lease: leader election with a Lease object of Kubernetes, as in client-go. At most one replica leads at a time.

All decisions are made by a monotonic clock. A holder counts from before it sent its renewal, a candidate from after it
saw the record change last. So the candidate's end is always the later one, however much the wall clocks of the two
differ. The times in the record are for people. The operator runs the lease, and a term (``term.py``) while it holds
the lease.
"""

import asyncio
import logging
import math
import os
import socket
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

from esm_operator.clock import microtime, monotonic
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.transport import ApiError, ConflictError, ForbiddenError, GoneError, describe_failure
from esm_operator.fence import Fence
from esm_operator.ratelimit.report_filter import ReportFilter

logger = logging.getLogger(__name__)

#: Seconds between renewals.
RENEWAL = 2.0
#: Seconds between two reads of a candidate, and between attempts that fail.
RETRY_PERIOD = 1.0
#: Seconds after which a lasting failure is logged again.
QUIET = 60.0
#: Seconds without an answer of the API server after which this process is not ready to lead.
DEAF = 30.0
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def own_identity() -> str:
    """The default identity of this process, which no other running process has.

    A pod's uid outlives restarts of its containers. A host name is shared by all pods on the host's network.
    """
    pod, uid = os.environ.get("POD_NAME", ""), os.environ.get("POD_UID", "")
    if pod and uid:
        return f"{pod}_{uid}"
    return f"{pod or socket.gethostname()}_{uuid.uuid4().hex[:8]}"


def own_namespace() -> str:
    """The namespace of the pod that this process runs in; ``default`` outside of a pod."""
    try:
        return _NAMESPACE.read_text().strip() or "default"
    except OSError:
        return "default"


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """The spec of a Lease object."""

    holder: str = ""
    """The identity of the holder; empty: the lease is free."""
    duration: float = 0.0
    """Seconds for which the holder has the lease after each renewal; 0: not given."""
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    version: str = ""
    """The resourceVersion; empty: the object is yet to be created."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "LeaseRecord":
        spec: Mapping[str, Any] = body.get("spec") or {}
        return cls(
            holder=str(spec.get("holderIdentity") or ""),
            duration=float(spec.get("leaseDurationSeconds") or 0),
            acquired=str(spec.get("acquireTime") or ""),
            renewed=str(spec.get("renewTime") or ""),
            transitions=int(spec.get("leaseTransitions") or 0),
            version=str(body["metadata"]["resourceVersion"]),
        )

    def render(self, name: str) -> dict[str, Any]:
        """The Lease object to write. The API server refuses it if the version has changed."""
        spec = {
            "holderIdentity": self.holder or None,
            "leaseDurationSeconds": max(1, math.ceil(self.duration)),
            "acquireTime": self.acquired or None,
            "renewTime": self.renewed or None,
            "leaseTransitions": self.transitions,
        }
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, **({"resourceVersion": self.version} if self.version else {})},
            "spec": {key: value for key, value in spec.items() if value is not None},
        }


class LeaseState(Enum):
    """The state of a lease for one candidate."""

    FREE = auto()
    OURS = auto()
    """Left by this process, or by the one that it was started to replace."""
    EXPIRED = auto()
    HELD = auto()


class Candidate:
    """Judges records by how long this process has seen them unchanged. Pure."""

    def __init__(self, identity: str, duration: float) -> None:
        self._identity = identity
        self._duration = duration
        self._observed: LeaseRecord | None = None
        self._since = 0.0
        self._observed_once = False

    def judge(self, record: LeaseRecord | None, now: float, written: Collection[str] = ()) -> LeaseState:
        """The state of the lease, whose object (None: there is none) was read before the time ``now``.

        ``written`` are the renewTimes that this process may have written.
        """
        first, self._observed_once = not self._observed_once, True
        if record is None:
            # Somebody may have deleted the Lease of a holder that does not know it yet.
            if self._observed is None or self._expired(self._observed, now):
                return LeaseState.FREE
            return LeaseState.HELD
        if not record.holder:
            self._observed = None
            return LeaseState.FREE
        if self._observed is None or record.version != self._observed.version:
            self._observed, self._since = record, now
        if record.holder == self._identity and (first or record.renewed in written):
            return LeaseState.OURS
        return LeaseState.EXPIRED if self._expired(record, now) else LeaseState.HELD

    @property
    def sees_another(self) -> bool:
        """Whether another identity had the lease when it was read last."""
        return self._observed is not None and self._observed.holder != self._identity

    def _expired(self, record: LeaseRecord, now: float) -> bool:
        return now - self._since >= (record.duration or self._duration)


class Lease:
    """Takes the lease, renews it, and releases it. For one event loop."""

    def __init__(
        self,
        kubernetes: KubernetesClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        duration: float,
        renewal: float = RENEWAL,
        find_problem: Callable[[], str] = lambda: "",
    ) -> None:
        """Namespace and name are those of the Lease object. Duration and renewal interval are in seconds.

        ``find_problem`` returns why this process cannot work now, as a sentence without a full stop;
        empty: it can. A process that cannot work for the duration of the lease gives the lease up, and does not
        acquire it.
        """
        self._find_problem = find_problem
        self._unable_since = math.inf
        """Time since which this process cannot work, by the clock."""
        self._renewal = renewal
        self._kubernetes = kubernetes
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration = duration
        self._candidate = Candidate(identity, duration)
        self._fence: Fence | None = None
        self.interruptions = 0
        """How often this process has tried to acquire the lease when another process may have held it since its last
        term."""
        self._record = LeaseRecord()
        self._written: set[str] = set()
        """The renewTimes that this process may have written. Another one with the same identity has written others."""
        self._unanswered = False
        """Whether the last write may have taken effect although its answer is missing."""
        self._changed = asyncio.Condition()
        self._failure = ""
        """Why the lease could not be read or written the last time, as a sentence."""
        self._failures_reported = ReportFilter(QUIET)
        self._holders_reported = ReportFilter()
        self._answered_at = -math.inf
        """Time of the last answer of the API server, by the clock."""

    def __str__(self) -> str:
        return f"{self._namespace}/{self._name}"

    def covers(self, seconds: float) -> bool:
        """Whether the lease is held, and for longer than so many seconds."""
        return self._fence is not None and self._fence.covers(seconds)

    @property
    def another_leads(self) -> bool:
        """Whether another process leads, or has led after this one."""
        return self._fence is None and self._candidate.sees_another

    def unusable_because(self) -> str:
        """Why this process can neither lead nor stand by, as a sentence; empty: it can."""
        if monotonic() - self._answered_at < DEAF:
            return ""
        return self._failure or f"The lease {self} has not been read yet."

    async def wait_acquired(self) -> Fence:
        """Wait until the lease is held. Returns the fence of the term."""
        async with self._changed:
            while self._fence is None:
                await self._changed.wait()
            return self._fence

    async def wait_lost(self, fence: Fence) -> None:
        """Wait until the term of a fence is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._fence is not fence)

    async def run(self) -> None:
        """Acquire the lease and renew it, again whenever it is lost, until cancelled."""
        while True:
            await self._acquire()
            await self._keep_renewed()

    async def release(self, within: float) -> None:
        """Release the lease within so many seconds, so that others need not wait. Cancel :meth:`run` before."""
        if self._fence is None and not self._unanswered:
            return
        await self._close()
        try:
            async with asyncio.timeout(within):
                if await self._write_released():
                    logger.info("Released the lease %s", self)
        except Exception as error:
            logger.warning(
                "The operator could not release the lease %s, which expires by itself. %s.", self, _text(error)
            )

    async def _write_released(self) -> bool:
        while True:
            if self._unanswered:
                await self._read()
                if not self._still_ours():
                    return False
            try:
                await self._write(replace(self._record, holder="", duration=1.0, renewed=microtime()))
            except ConflictError:
                self._unanswered = True
            else:
                return True

    async def _acquire(self) -> None:
        while True:
            problem = self._find_problem()
            try:
                taken = not problem and await self._try_acquire()
                self._answered_at = monotonic() if not problem else -math.inf
                if taken:
                    return
            except Exception as error:
                self._report(error)
            if problem:
                self._report_text(f"This process does not take part in the leader election. {problem}.")
            await asyncio.sleep(RETRY_PERIOD)

    async def _try_acquire(self) -> bool:
        """Read the lease, and take it if it can be taken. Returns whether it was."""
        try:
            record = LeaseRecord.parse(await self._kubernetes.read_lease(self._namespace, self._name, self._duration))
        except GoneError:
            record = None
        state = self._candidate.judge(record, monotonic(), self._written)
        if state is LeaseState.HELD:
            if record is not None and self._holders_reported.admit(self._name, record.holder):
                logger.info("This process stands by, because %s holds the lease %s", record.holder, self)
            return False
        before = record or LeaseRecord()
        if before.holder != self._identity or before.renewed not in self._written:
            self.interruptions += 1  # before the write, whose answer may be lost
        wall = microtime()
        ours = replace(
            before,
            holder=self._identity,
            duration=self._duration,
            acquired=wall,
            renewed=wall,
            transitions=before.transitions + (before.holder != self._identity and record is not None),
        )
        started = monotonic()
        try:
            await self._write(ours)
        except ConflictError:
            return False  # another process has written it
        except GoneError:
            if record is None:
                raise
            return False
        fence = Fence()
        fence.extend(started + self._duration)
        reasons = {
            LeaseState.FREE: "it was free",
            LeaseState.OURS: "this identity held it before",
            LeaseState.EXPIRED: f"{before.holder} has not renewed it for {before.duration or self._duration:.0f} s",
        }
        logger.info("Acquired the lease %s as %s, because %s", self, self._identity, reasons[state])
        self._holders_reported.clear()
        await self._set_fence(fence)
        return True

    async def _keep_renewed(self) -> None:
        """Renew the lease until another process has it, or it could not be renewed in time."""
        fence = self._fence
        assert fence is not None
        pause = self._renewal
        while True:
            await asyncio.sleep(max(0.0, min(pause, fence.left)))
            if fence.left <= 0:
                await self._close(f"it could not be renewed within its {self._duration:.0f} s")
                return
            if problem := self._lasting_problem():
                # The lease is left to expire, because a write may still be on its way to AWS.
                await self._close(f"the process could not work for the {self._duration:.0f} s of the lease. {problem}")
                return
            started = monotonic()
            try:
                async with asyncio.timeout(fence.left):
                    held = await self._renew()
            except Exception as error:
                self._report(error)
                pause = RETRY_PERIOD
                continue
            self._answered_at = monotonic()
            if not held:
                by = self._record.holder
                other = f"{by} holds it" if by != self._identity else f"another process has the identity {by} too"
                await self._close(other if by else "somebody has set it free")
                return
            if fence.left <= 0:
                continue
            fence.extend(started + self._duration)
            pause = self._renewal - (monotonic() - started)  # a slow API server must not make renewals rarer

    def _lasting_problem(self) -> str:
        """Why this process has not been able to work for the duration of the lease; empty: it was able to."""
        problem, now = self._find_problem(), monotonic()
        self._unable_since = min(self._unable_since, now) if problem else math.inf
        return problem if now - self._unable_since >= self._duration else ""

    async def _renew(self) -> bool:
        """Renew once. Returns whether the lease is still held."""
        for _ in range(2):
            try:
                await self._write(replace(self._record, renewed=microtime()))
            except (ConflictError, GoneError):
                await self._read()
                if not self._still_ours():
                    return False
            else:
                return True
        raise ConflictError("it was changed again while it was renewed")

    async def _read(self) -> None:
        """Read the Lease object. If it was deleted, the next write creates it again."""
        try:
            self._record = LeaseRecord.parse(
                await self._kubernetes.read_lease(self._namespace, self._name, self._duration)
            )
        except GoneError:
            self._record = replace(self._record, version="")

    def _still_ours(self) -> bool:
        return self._record.holder == self._identity and self._record.renewed in self._written

    async def _write(self, record: LeaseRecord) -> None:
        self._unanswered = True
        self._written.add(record.renewed)
        try:
            answer = await self._kubernetes.write_lease(self._namespace, record.render(self._name), self._duration)
        except (ConflictError, GoneError, ApiError):
            self._unanswered = False
            raise
        self._unanswered = False
        self._record = LeaseRecord.parse(answer)
        self._written = {record.renewed}
        self._failures_reported.clear()

    async def _close(self, why: str = "") -> None:
        if self._fence is None:
            return
        self._fence.close()
        if why:
            logger.warning("Lost the lease %s, because %s. This process stands by.", self, why)
        await self._set_fence(None)

    async def _set_fence(self, fence: Fence | None) -> None:
        async with self._changed:
            self._fence = fence
            self._changed.notify_all()

    def _report(self, error: Exception) -> None:
        if isinstance(error, ForbiddenError):
            text = (
                f"The operator cannot use the lease {self} and does not lead. {_text(error)}. Allow get, create and "
                f"update of leases.coordination.k8s.io in the namespace {self._namespace}, or set --lease-namespace."
            )
        elif isinstance(error, GoneError):
            text = (
                f"The operator cannot create the lease {self}, because there is no namespace {self._namespace}. "
                "Create it, or set --lease-namespace."
            )
        else:
            text = f"The operator could not read or write the lease {self}, and retries. {_text(error)}."
        self._report_text(text)

    def _report_text(self, text: str) -> None:
        self._failure = text
        if self._failures_reported.admit(text):
            logger.warning("%s", text)


def _text(error: Exception) -> str:
    return describe_failure(error)
