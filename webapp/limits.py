"""How often something may happen, counted over all processes: calls of REST, attempts to sign in.

A sliding window of two counts: what happened in the present span, and the share of the span before that still lies
within one span from now. Each count is one atomic step in Valkey, so that many requests at once cannot slip through.
When Valkey is away each process counts for itself: limits become wider, and nothing stops.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from dataclasses import dataclass
from typing import Any

from django.core.cache import caches
from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle

from webapp.cache import Tally
from webapp.clients import client_of

log = logging.getLogger("crosstable.limits")


@dataclass(frozen=True)
class Limit:
    """At most `count` times in any span of `seconds`, for each key."""

    name: str
    count: int
    seconds: int

    def spend(self, key: str, now: float | None = None) -> int:
        """Count one. Returns 0 when it is within the limit; else it is not counted, and this many seconds are left."""
        now = time.time() if now is None else now
        try:
            return self._spend(caches["default"], key, now)
        except (RedisError, OSError) as error:
            log.warning("limits are counted per process: %s", error)
            return self._spend(caches["process"], key, now)

    def refund(self, key: str, now: float | None = None) -> None:
        """What was counted turned out to be welcome."""
        now = time.time() if now is None else now
        try:
            caches["default"].decr(self._place(key, now))
        except (RedisError, OSError, ValueError) as error:  # ValueError: the span is over
            log.debug("nothing to give back: %s", error)

    def _spend(self, cache: Any, key: str, now: float) -> int:
        counts: Tally = cache
        here, before = self._place(key, now), self._place(key, now - self.seconds)
        spent, earlier = counts.tally(here, before, 2 * self.seconds)
        passed = now % self.seconds / self.seconds
        if spent + earlier * (1 - passed) <= self.count:
            return 0
        cache.decr(here)
        return self._wait(spent - 1, earlier, passed)

    def _wait(self, spent: int, earlier: int, passed: float) -> int:
        """Seconds until one more fits: as the earlier span moves out, or after this one has become the earlier."""
        room = self.count - spent - 1
        if room >= 0 and earlier:
            return max(1, math.ceil((1 - room / earlier - passed) * self.seconds))
        later = max(0.0, 1 - (self.count - 1) / spent) if spent else 0.0
        return max(1, math.ceil((1 - passed + later) * self.seconds))

    def _place(self, key: str, now: float) -> str:
        """A key of bounded length that shows nobody's name."""
        digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]
        return f"limit.{self.name}.{digest}.{int(now // self.seconds)}"


REFUSED = Limit("refused.address", 60, 60)


def count_refused(request: HttpRequest | Request) -> None:
    """Call it where somebody fails to show who they are. Raises Throttled for an address that does so again and again;
    whoever calls from there with a good token is served."""
    if wait := REFUSED.spend(client_of(request)):
        raise Throttled(wait)


class Throttle(SimpleRateThrottle):
    """DRF's throttle on shared counts."""

    left = 0
    num_requests: int | None
    duration: int | None

    def allow_request(self, request: Request, view: Any) -> bool:
        rate, seconds = self.num_requests, self.duration
        key = self.get_cache_key(request, view)
        if key is None or rate is None or seconds is None:
            return True
        self.left = Limit(str(self.scope), rate, seconds).spend(key)
        return not self.left

    def wait(self) -> float | None:
        return float(self.left)

    def get_ident(self, request: Request) -> str:
        return client_of(request)


class PersonThrottle(Throttle, UserRateThrottle):
    """For each person who is signed in, whatever tokens they use."""


class StrangerThrottle(Throttle, AnonRateThrottle):
    """For each address that calls without a sign-in."""
