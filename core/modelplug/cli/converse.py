"""What ``modelplug chat`` does once its arguments are read: who is asked, and where from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from modelplug.cli.conversation import Conversation
from modelplug.cli.inputhistory import InputHistory
from modelplug.cli.keyboard import Keyboard, Pipe
from modelplug.cli.logs import log_plainly
from modelplug.cli.session import Session
from modelplug.cli.signals import ended_by_signals
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
        Exit: SIGTERM or SIGHUP came; connections are closed, the terminal is as it was.
    """
    log_plainly()
    with ended_by_signals("SIGTERM", "SIGHUP"), new_client(config) as client:
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


def _view() -> Callable[[], View]:
    # Here: rich takes as long to import as all the rest, and only a terminal wants it.
    from modelplug.cli.live import MarkdownView, console

    screen = console()
    return PlainView if screen.is_dumb_terminal else lambda: MarkdownView(screen)
