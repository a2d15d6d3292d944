"""A stream of outputs for threads: what ``ModelStream`` is for tasks."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Self

from modelplug.errors import ProxyLLMError, WrongUseError
from modelplug.output import Answer, ModelOutput
from modelplug.pump import Pump
from modelplug.stream import ModelStream, closed_early

__all__ = ["SyncModelStream"]


def _weight(outputs: Sequence[ModelOutput]) -> int:
    """What outputs cost while they wait for their reader: 1 each, and 1 more for each 4 KiB."""
    characters = sum([len(each.delta) + len(each.reasoning_delta or "") for each in outputs])
    return len(outputs) + characters // 4096


class SyncModelStream:
    """A ``ModelStream`` for threads: an iterator of outputs, and a context manager.

    The stream runs on the loop thread of the process; Ctrl-C here cancels it there.
    """

    _ended = True
    """Until it is made whole: Ctrl-C may come before, and the finaliser after."""

    def __init__(self, stream: Callable[[], ModelStream]) -> None:
        self._make = stream
        self._stream: ModelStream | None = None
        self._pump: Pump[ModelOutput] | None = None
        self._outputs: Iterator[ModelOutput] = iter(())
        self._lock = threading.Lock()
        self._ended = False
        self._abandoned = False

    @property
    def partial(self) -> ModelOutput:
        """The answer so far, whatever became of the stream."""
        if self._stream is None:
            return ModelOutput.so_far(Answer())
        return self._stream.partial

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ModelOutput:
        for output in self._outputs:
            if output.final:
                self._ended = True
            return output
        if self._abandoned:
            raise closed_early(self.partial)
        if self._ended:
            raise StopIteration
        if not self._lock.acquire(blocking=False):
            raise WrongUseError("two threads read one stream", hint="give each one of its own")
        try:
            self._read()
        except ProxyLLMError as error:
            error.complete(partial=self.partial)  # closed from elsewhere, it has none yet
            self._ended = True
            raise
        except BaseException:
            self.close()
            raise
        finally:
            self._lock.release()
        return next(self)

    def _read(self) -> None:
        if self._pump is None:
            stream = self._stream = self._make()
            del self._make  # it holds the question
            self._pump = Pump(lambda: stream, weigh=_weight)
            self._pump.start()
            if self._abandoned:  # another thread closed while this one began
                self._pump.close()
        outputs = self._pump.take()
        self._outputs = iter(outputs)
        if not outputs:
            self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; from any thread. A thread that reads gets a LifecycleError."""
        if not self._ended:
            self._abandoned = True
            if self._pump is not None:
                self._pump.close()
            self._ended = True
            self._outputs = iter(())

    def __del__(self) -> None:
        if self._ended or self._pump is None:
            return
        self._pump.close(wait=False)
        warnings.warn(
            "a model stream was dropped before its end; use 'with', or close it",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )
