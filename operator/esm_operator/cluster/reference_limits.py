"""The limits of references: how many lists and watches the resources of each namespace may need.

Users choose the kinds that their resources reference, and can invent kinds. Each kind costs requests, and each list and
watch costs a connection and memory. The rules are those of the target limiter (``ratelimit/target_limiter.py``): one
namespace never uses up the limit of all, and each namespace always gets its first list and watch.

The reference cache keeps no objects of a refused place. When another place is released, the cache takes the resources
whose references are not refused any more from :meth:`ReferenceLimits.take_admitted`.

A place is released a minute after its last reference has ended. Otherwise, a user who changes the kind of a reference
back and forth would cause a list of all objects each time.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from esm_operator.api.limits import MAX_WATCHES, WATCHES_PER_NAMESPACE
from esm_operator.api.resource import Key
from esm_operator.clock import monotonic
from esm_operator.cluster.discovery import Kind
from esm_operator.cluster.reference_users import Users, with_user, without_user
from esm_operator.ratelimit.target_limiter import TargetLimiter

#: Seconds for which a place without references is kept.
_KEPT = 60.0


class Place(NamedTuple):
    """The objects of one list and watch. The API server may not serve the kind."""

    kind: Kind
    namespace: str
    """Empty: all namespaces."""


class ReferenceLimits:
    """The places that the resources of each namespace reference. For one event loop."""

    def __init__(self) -> None:
        self._limiter = TargetLimiter[str, Place](WATCHES_PER_NAMESPACE, MAX_WATCHES)
        self._references: Counter[tuple[str, Place]] = Counter()
        """How many references the resources of a namespace have to an admitted place."""
        self._unused: dict[tuple[str, Place], float] = {}
        """The admitted places without references: the monotonic time at which the last one ended, in seconds."""
        self._refused: dict[tuple[str, Place], Users] = {}
        """The resources of a namespace whose references to a place are refused."""
        self._has_room = False
        """Whether a place was released since the last attempt to admit the refused ones."""

    @property
    def has_refused(self) -> bool:
        return bool(self._refused)

    @property
    def has_unused(self) -> bool:
        """Whether places will be released."""
        return bool(self._unused)

    def is_used(self, place: Place) -> bool:
        """Whether a place is admitted for a namespace."""
        return self._limiter.is_used(place)

    def refuses(self, namespace: str, place: Place) -> bool:
        """Whether the references of a namespace to a place are refused."""
        return (namespace, place) in self._refused

    def add(self, key: Key, place: Place) -> bool:
        """Count a reference of a resource. Returns whether it is admitted."""
        pair = (key.namespace, place)
        if pair in self._refused or self._limiter.admit(*pair) is not None:
            self._refused[pair] = with_user(self._refused.get(pair, ()), key)
            return False
        self._unused.pop(pair, None)
        self._references[pair] += 1
        return True

    def remove(self, key: Key, place: Place) -> bool:
        """Forget a reference of a resource. Returns whether it was admitted."""
        pair = (key.namespace, place)
        if pair in self._refused:
            users = without_user(self._refused.pop(pair), key)
            if users:
                self._refused[pair] = users
            return False
        self._references[pair] -= 1
        if not self._references[pair]:
            del self._references[pair]
            self._unused[pair] = monotonic()
        return True

    def release_unused(self) -> set[Kind]:
        """Release the places without references for a minute. Returns their kinds."""
        kinds: set[Kind] = set()
        for pair, since in [*self._unused.items()]:
            if monotonic() - since < _KEPT:
                break  # the others were added later
            del self._unused[pair]
            self._limiter.release(*pair)
            self._has_room = True
            kinds.add(pair[1].kind)
        return kinds

    def take_admitted(self) -> Iterator[tuple[Place, Users]]:
        """The places that are admitted now, with the resources whose references were refused. Add these again."""
        if not self._has_room:
            return
        self._has_room = False
        for namespace, place in [*self._refused]:
            if self._limiter.admit(namespace, place) is None:
                yield place, self._refused.pop((namespace, place))
