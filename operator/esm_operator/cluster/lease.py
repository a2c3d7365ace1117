"""The lease: at most one process of all that could works at a time.

A Lease object of Kubernetes, as client-go's leader election keeps it. All decisions are made by a clock that
nobody sets: a holder counts from before it sent its renewal, a candidate from after it saw the record change
last, so the candidate's end is always the later one, however far the clocks that people read are apart. The
times in the record are for people. Run by the operator; what is done while leading is ``term.py``.
"""

import asyncio
import logging
import math
import os
import socket
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

from esm_operator.clock import Clock, microtime, monotonic
from esm_operator.cluster.kubernetes import ApiError, ConflictError, ForbiddenError, GoneError, KubernetesClient
from esm_operator.fence import Fence
from esm_operator.ratelimit.report_filter import ReportFilter

logger = logging.getLogger(__name__)

#: Seconds between renewals.
RENEWAL = 2.0
#: Seconds between a candidate's looks, and between attempts that fail.
LOOK = 1.0
#: Seconds after which a failure that lasts is logged again.
QUIET = 60.0
#: Seconds without an answer after which this process could not lead, or not for long.
DEAF = 30.0
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def own_identity() -> str:
    """Who this process is where no setting says so: no two that run at once may share it.

    A pod's uid outlives the restarts of its containers, and no other pod ever has it. A host name alone is
    no identity: pods on the host's network share it.
    """
    pod, uid = os.environ.get("POD_NAME", ""), os.environ.get("POD_UID", "")
    if pod and uid:
        return f"{pod}_{uid}"
    return f"{pod or socket.gethostname()}_{uuid.uuid4().hex[:8]}"


def own_namespace() -> str:
    """The namespace of the pod that this process runs in; ``default`` where it is none."""
    try:
        return _NAMESPACE.read_text().strip() or "default"
    except OSError:
        return "default"


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a Lease object says."""

    holder: str = ""
    """Whose it is; empty: free."""
    duration: float = 0.0
    """Seconds for which it holds after each renewal; 0: it does not say."""
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    version: str = ""
    """The resourceVersion; empty for one that is yet to be made."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "LeaseRecord":
        """The record of a Lease object, whoever wrote it."""
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
        """The Lease object to write: refused by the API server if it is another version by now."""
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
    """What a candidate makes of a record."""

    FREE = auto()
    OURS = auto()
    """Left by this very process, or by the one in whose place it was started."""
    EXPIRED = auto()
    HELD = auto()


class Candidate:
    """Judges records by how long they have not changed before its own eyes. Pure."""

    def __init__(self, identity: str, duration: float) -> None:
        """
        Args:
            identity: its own.
            duration: seconds that a record counts which does not say.
        """
        self._identity = identity
        self._duration = duration
        self._seen: LeaseRecord | None = None
        self._since = 0.0
        self._looked = False

    def judge(self, record: LeaseRecord | None, now: float, written: Collection[str] = ()) -> LeaseState:
        """What a record that was read just now means.

        Args:
            record: None where there is no Lease object.
            now: after it was read, in seconds of the clock.
            written: the renewTimes that this very process may have written.
        """
        first, self._looked = not self._looked, True
        if record is None:
            # A Lease that somebody deleted is no lease that was given back: its holder may not know yet.
            if self._seen is None or self._expired(self._seen, now):
                return LeaseState.FREE
            return LeaseState.HELD
        if not record.holder:
            self._seen = None
            return LeaseState.FREE
        if self._seen is None or record.version != self._seen.version:
            self._seen, self._since = record, now
        if record.holder == self._identity and (first or record.renewed in written):
            return LeaseState.OURS
        return LeaseState.EXPIRED if self._expired(record, now) else LeaseState.HELD

    def _expired(self, record: LeaseRecord, now: float) -> bool:
        return now - self._since >= (record.duration or self._duration)


class Lease:
    """Takes the lease, renews it, gives it back. For one event loop."""

    def __init__(
        self,
        kubernetes: KubernetesClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        duration: float,
        renewal: float = RENEWAL,
        clock: Clock = monotonic,
    ) -> None:
        """
        Args:
            kubernetes: the API server.
            namespace: of the Lease object.
            name: of the Lease object.
            identity: who this process is.
            duration: seconds for which it holds after each renewal.
            renewal: seconds between renewals.
            clock: seconds, by which everything is decided.
        """
        self._renewal = renewal
        self._kubernetes = kubernetes
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration = duration
        self._clock = clock
        self._candidate = Candidate(identity, duration)
        self._fence: Fence | None = None
        self._record = LeaseRecord()
        self._written: set[str] = set()
        """The renewTimes that may stand in the record: of another process with our identity, none is."""
        self._unanswered = False
        """Whether what was written last may have come through without our knowing."""
        self._changed = asyncio.Condition()
        self._failure = ""
        """Why the lease could not be read or written the last time that it could not, as a sentence."""
        self._failures_reported = ReportFilter(QUIET, clock)
        self._holders_reported = ReportFilter()
        self._heard = -math.inf
        """When the API server answered last, by the clock."""

    def __str__(self) -> str:
        return f"{self._namespace}/{self._name}"

    def covers(self, seconds: float) -> bool:
        """Whether the lease is held and runs longer than that."""
        return self._fence is not None and self._fence.covers(seconds)

    def unusable_because(self) -> str:
        """What keeps this process from leading, or from standing by, as a sentence; empty: nothing."""
        if self._clock() - self._heard < DEAF:
            return ""
        return self._failure or f"The lease {self} has not been read yet."

    async def wait_acquired(self) -> Fence:
        """Wait until the lease is held. Returns the fence of the term."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._fence is not None)
            assert self._fence is not None
            return self._fence

    async def wait_lost(self, fence: Fence) -> None:
        """Wait until a term is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._fence is not fence)

    async def run(self) -> None:
        """Stand for the lease, hold it, lose it, stand again, until cancelled."""
        while True:
            await self._acquire()
            await self._keep_renewed()

    async def release(self, within: float) -> None:
        """Give the lease back, so that another can take it at once; not once :meth:`run` goes on.

        Args:
            within: seconds after which it is left to expire.
        """
        if self._fence is None and not self._unanswered:
            return
        await self._close()
        try:
            async with asyncio.timeout(within):
                if await self._write_released():
                    logger.info("Gave the lease %s back", self)
        except Exception as error:
            logger.warning("The lease %s could not be given back, it expires by itself: %s", self, _text(error))

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
            try:
                taken = await self._try_acquire()
                self._heard = self._clock()
                if taken:
                    return
            except Exception as error:
                self._report(error)
            await asyncio.sleep(LOOK)

    async def _try_acquire(self) -> bool:
        """One look, and the lease taken if it is to be had."""
        try:
            record = LeaseRecord.parse(await self._kubernetes.read_lease(self._namespace, self._name))
        except GoneError:
            record = None
        standing = self._candidate.judge(record, self._clock(), self._written)
        if standing is LeaseState.HELD:
            if record is not None and self._holders_reported.admit(self._name, record.holder):
                logger.info("Standing by: %s holds the lease %s", record.holder, self)
            return False
        before = record or LeaseRecord()
        wall = microtime()
        ours = replace(
            before,
            holder=self._identity,
            duration=self._duration,
            acquired=wall,
            renewed=wall,
            transitions=before.transitions + (before.holder != self._identity and record is not None),
        )
        started = self._clock()
        self._written.add(wall)
        try:
            await self._write(ours)
        except ConflictError:
            return False  # somebody was quicker
        except GoneError:
            if record is None:
                raise
            return False
        fence = Fence(self._clock)
        fence.extend(started + self._duration)
        if standing is LeaseState.EXPIRED and record is not None:
            how = f"{record.holder} has not renewed it for {record.duration or self._duration:.0f} s"
        else:
            how = "it was left by this identity" if standing is LeaseState.OURS else "it was free"
        logger.info("Took the lease %s as %s: %s", self, self._identity, how)
        self._holders_reported.clear()
        async with self._changed:
            self._fence = fence
            self._changed.notify_all()
        return True

    async def _keep_renewed(self) -> None:
        """Renew until it is lost: another has it, or it could not be renewed in time."""
        fence = self._fence
        assert fence is not None
        pause = self._renewal
        while True:
            await asyncio.sleep(max(0.0, min(pause, fence.left)))
            if fence.left <= 0:
                await self._close(f"it could not be renewed within its {self._duration:.0f} s")
                return
            started = self._clock()
            try:
                # What was not answered when the lease has run out is of no use.
                async with asyncio.timeout(fence.left):
                    held = await self._renew()
            except Exception as error:
                self._report(error)
                pause = LOOK
                continue
            self._heard = self._clock()
            if not held:
                by = self._record.holder
                other = f"{by} holds it" if by != self._identity else f"another process has the identity {by} too"
                await self._close(other if by else "somebody has set it free")
                return
            if fence.left <= 0:
                continue
            fence.extend(started + self._duration)
            pause = self._renewal

    async def _renew(self) -> bool:
        """One renewal. Returns whether the lease is still ours."""
        for _ in range(2):
            wall = microtime()
            self._written.add(wall)
            try:
                await self._write(replace(self._record, renewed=wall))
            except (ConflictError, GoneError):
                await self._read()
                if not self._still_ours():
                    return False
            else:
                return True
        raise ConflictError("it was changed again while it was renewed")

    async def _read(self) -> None:
        """See what the Lease object says; one that was deleted is made again."""
        try:
            self._record = LeaseRecord.parse(await self._kubernetes.read_lease(self._namespace, self._name))
        except GoneError:
            self._record = replace(self._record, version="")

    def _still_ours(self) -> bool:
        return self._record.holder == self._identity and self._record.renewed in self._written

    async def _write(self, record: LeaseRecord) -> None:
        self._unanswered = True
        try:
            answer = await self._kubernetes.write_lease(self._namespace, record.render(self._name))
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
            logger.warning("Lost the lease %s: %s; this process stands by", self, why)
        async with self._changed:
            self._fence = None
            self._changed.notify_all()

    def _report(self, error: Exception) -> None:
        """Log what is wrong, and what to do, now and then."""
        if isinstance(error, ForbiddenError):
            text = (
                f"The lease {self} can't be used, so nothing is worked on: {_text(error)}. Allow get, create and "
                f"update of leases.coordination.k8s.io in the namespace {self._namespace}, or set --lease-namespace."
            )
        elif isinstance(error, GoneError):
            text = (
                f"The lease {self} can't be made, so nothing is worked on: there is no namespace {self._namespace}. "
                "Create it, or set --lease-namespace."
            )
        else:
            text = f"The lease {self} can't be read or written; it is tried again: {_text(error)}"
        self._failure = text
        if self._failures_reported.admit(text):
            logger.warning("%s", text)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
