"""``modelplug chat``: questions and answers in turn, each with all that was said before."""

from __future__ import annotations

import click

from modelplug.cli.parameters import backend_option, options_option, profile_option, system_option

__all__ = ["chat"]

_MORE = """\
Each question is sent with the conversation so far. /help lists the commands: /model, /system,
/save, /load, /undo, /retry, /clear, /usage, /exit. A line that begins with // is text, without
the first slash.

Several lines are one question between \"\"\" and \"\"\". At a terminal Alt-Enter breaks a line,
too, and pasted lines stay together.

Ctrl-C stops an answer, and what had come of it is kept. An answer that fails is shown but not
kept: the conversation stays as it was, and /retry asks again. At the prompt Ctrl-C clears the
line; on an empty one, twice, it ends the chat. So does Ctrl-D.

A terminal gets Markdown rendered, and the model's thinking dimmed. From a pipe each line is a
question; answers go to standard output as they are, all else to standard error.

What you type is remembered in ~/.local/state/modelplug/chat-history.jsonl, for your own eyes
(mode 0600); what comes from a pipe isn't. --history none, or MODELPLUG_CHAT_HISTORY=none, keeps
nothing.

\b
Examples:
  modelplug chat -b echo
  modelplug chat -b spark:lite -s "Be brief."
  modelplug chat -b spark -o temperature=0.2
  modelplug chat -b echo < questions.txt

\b
Exit status:
  0    ended
  1    it couldn't begin; from a pipe: an answer, or a command, failed
  2    wrong usage
  130  Ctrl-C, twice at the prompt
  141  nobody reads any more, as in | head -1
  143  ended by SIGTERM
"""


@click.command(epilog=_MORE)
@backend_option
@profile_option
@system_option
@options_option
@click.option("--plain", is_flag=True, help="Write Markdown as it is, also at a terminal.")
@click.option(
    "--history",
    metavar="FILE",
    envvar="MODELPLUG_CHAT_HISTORY",
    help="Remember there what is typed; none: nowhere.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell each answer's usage, timing, retries.")
def chat(
    *,
    backend: str | None,
    profile: str | None,
    system: str | None,
    options: tuple[str, ...],
    plain: bool,
    history: str | None,
    verbose: bool,
) -> None:
    """Talk with a model, with all that was said in mind."""
    # Here, as in each command: pydantic and asyncio come along, and --help needn't wait.
    from modelplug.cli.choice import choice
    from modelplug.cli.converse import converse

    status = converse(
        choice(backend, options, profile),
        system=system,
        plain=plain,
        history=history,
        verbose=verbose,
    )
    raise click.exceptions.Exit(status)
