"""What ``modelplug chat`` does once its arguments are read: who is asked, and where from."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from modelplug.cli.conversation import Conversation
from modelplug.cli.inputhistory import InputHistory
from modelplug.cli.keyboard import Keyboard, Pipe
from modelplug.cli.logs import log_plainly
from modelplug.cli.session import Session
from modelplug.cli.slash import completed
from modelplug.cli.terminal import is_terminal
from modelplug.cli.view import PlainView, View
from modelplug.factory import new_client

__all__ = ["converse"]


def converse(
    config: Mapping[str, object],
    *,
    system: str | None,
    plain: bool,
    history: str | None,
    verbose: bool,
) -> int:
    """Talk until there is no more to say; the exit status.

    Raises:
        ProxyLLMError: there can be no client.
    """
    log_plainly()
    try:
        with _ended_by_signals(), new_client(config) as client:
            is_watched = is_terminal() and sys.stdin is not None and sys.stdin.isatty()
            session = Session(
                client,
                Conversation(system),
                view=_view() if is_watched and not plain else PlainView,
                verbose=verbose,
            )
            if not is_watched:
                return session.run(Pipe())
            session.tell(f"{client.backend}, model {session.model}. /help shows what there is.")
            keyboard = Keyboard(InputHistory.chosen(history), lambda text: completed(session, text))
            return session.run(keyboard)
    except _EndedError as ended:
        return ended.status


def _view() -> Callable[[], View]:
    # Here: rich takes as long to import as all the rest, and only a terminal wants it.
    from modelplug.cli.live import MarkdownView, console

    screen = console()
    return PlainView if screen.is_dumb_terminal else lambda: MarkdownView(screen)


class _EndedError(BaseException):
    """A signal that ends the program; not an Exception, which might be taken for a fault."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number  # as shells count


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP close connections, and leave the terminal as it was."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise _EndedError(number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in map(_number, names)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _number(name: str) -> signal.Signals:
    return signal.Signals[name]
