"""So many calls at once, and no more; the others wait their turn."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from modelplug.attempt import Attempt
from modelplug.client import ProxyLLMClient
from modelplug.errors import QueueFullError
from modelplug.opening import Opening
from modelplug.policies.forks import mind_forks
from modelplug.policies.policy import Policy
from modelplug.request import ModelRequest

__all__ = ["ConcurrencyLimit", "Slots"]


class _Place(Future[None]):
    """Room for one, or a turn to get it; ``is_gone`` tells whether nobody waits for that."""

    def __init__(self, is_gone: Callable[[], bool]) -> None:
        super().__init__()
        self.is_gone = is_gone


class Slots:
    """Room for so many at once, and a bounded queue, first come, first served; for any thread.

    Args:
        limit: how many have room.
        queue: how many may wait; None for twice as many as have room.
    """

    def __init__(self, limit: int, *, queue: int | None = None) -> None:
        longest = 2 * limit if queue is None else queue
        if type(limit) is not int or type(longest) is not int or limit < 1 or longest < 0:
            raise ValueError("a limit is an int and at least 1, and a queue at least 0")
        self.limit = limit
        self._longest = longest
        self.begin_anew()
        mind_forks(self)

    def begin_anew(self) -> None:
        """Have room for all, as at first."""
        # One that its holder may take again: a stream that the collector finds gives its place
        # back wherever this thread just is, and that may be here.
        self._lock = threading.RLock()
        self._taken: set[Future[None]] = set()
        self._waiting: deque[_Place] = deque()

    @property
    def taken(self) -> int:
        """How many have room."""
        return len(self._taken)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take(self, *, is_gone: Callable[[], bool] = lambda: False) -> Future[None]:
        """Room, once the future is done; to be given back by ``give_back``.

        Args:
            is_gone: whether who waits can't even leave the queue any more, as the loop was
                closed under it.

        Raises:
            QueueFullError: so many wait already.
        """
        place = _Place(is_gone)
        with self._lock:
            if self._is_full():
                self._waiting = deque(each for each in self._waiting if not each.is_gone())
            is_full = self._is_full()
            if not is_full:
                self._waiting.append(place)
        self._serve()
        if is_full:
            raise QueueFullError(
                f"{self.limit} calls are under way, and {self._longest} wait",
                sent="no",
                hint="call less at once, or allow for more",
            )
        return place

    def give_back(self, place: Future[None]) -> None:
        """Leave: from the queue, or from where one had room, which is the next one's then."""
        with self._lock:
            if place in self._waiting:
                self._waiting = deque(each for each in self._waiting if each is not place)
            else:
                self._taken.discard(place)
        self._serve()

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._longest and len(self._taken) >= self.limit

    def _serve(self) -> None:
        """Give room to those who wait, as far as there is some."""
        while True:
            with self._lock:
                if not self._waiting or len(self._taken) >= self.limit:
                    return
                following = self._waiting.popleft()
                if following.is_gone():
                    continue
                self._taken.add(following)
            following.set_result(None)


class ConcurrencyLimit(Policy):
    """Lets so many calls be under way at once, from their opening to the end of their answers.

    A call waits in a queue for as long as ``Timeouts.queue`` allows, and not at all where the
    queue is full.

    Args:
        client: what is asked.
        slots: how many; or Slots, to be shared with other clients of one account.
    """

    def __init__(self, client: ProxyLLMClient, slots: int | Slots = 64) -> None:
        super().__init__(client)
        self.slots = slots if isinstance(slots, Slots) else Slots(slots)

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call, once there is room for it."""
        place = self.slots.take(is_gone=opening.clock.loop.is_closed)
        try:
            if not place.done():
                queue = self.timeouts_of(request).queue
                # Shielded: what is cancelled is the wait, and the place is given back below.
                await opening.wait(lambda: asyncio.shield(asyncio.wrap_future(place)), queue=queue)
            attempt = await self.clients[0].open(request, opening)
        except BaseException:
            self.slots.give_back(place)
            raise
        attempt.on_end(lambda _: self.slots.give_back(place))
        return attempt
