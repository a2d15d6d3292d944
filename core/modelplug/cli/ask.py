"""``modelplug ask``: one question, and its answer as it comes."""

from __future__ import annotations

import click

from modelplug.cli.parameters import backend_option, options_option, profile_option, system_option
from modelplug.cli.prompt import encodable, note_profile, read_prompt

__all__ = ["ask"]

_MORE = """\
The prompt is made of the files, each under a line with its name, then standard input unless it
is a terminal, then PROMPT. A file with nothing beside it is the prompt as it is.

The answer goes to standard output with one newline at its end, all else to standard error. A
terminal gets control characters as escapes.

-o reads a value as CONFIG does: commas make a list, % begins an escape. But blanks, ?, & and |
stand for themselves. A secret is given as env:NAME or file:/path.

\b
Examples:
  modelplug ask "What is a monad?" -b echo
  modelplug ask "Sum this up." -f report.txt
  git diff | modelplug ask "Review this."
  modelplug ask "Hi" -o temperature=0.2 -v
  modelplug ask "Hi" -o api_key=env:MY_KEY
  modelplug ask "Hi" --json < /dev/null

\b
Exit status:
  0    answered
  1    failed; what had come is written
  2    wrong usage
  130  Ctrl-C; the connection is closed (a second one ends it at once)
  141  nobody reads any more, as in | head -1
  143  ended by SIGTERM; the connection is closed
"""


@click.command(epilog=_MORE)
@click.argument("prompt", required=False, callback=encodable)
@backend_option
@profile_option
@click.option("-f", "--file", "files", metavar="FILE", multiple=True, help="Ask about this file.")
@system_option
@options_option
@click.option("--no-stream", is_flag=True, help="Write the answer when all of it is there.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object instead.")
@click.option("-v", "--verbose", is_flag=True, help="Tell usage, timing and retries, too.")
def ask(
    *,
    prompt: str | None,
    backend: str | None,
    profile: str | None,
    files: tuple[str, ...],
    system: str | None,
    options: tuple[str, ...],
    no_stream: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Ask a model, and write its answer as it comes."""
    note_profile(prompt, backend, profile)
    question = read_prompt(prompt, files)
    # Here, as in each command: pydantic and asyncio come along, and --help needn't wait.
    from modelplug.cli.answer import answer
    from modelplug.cli.choice import choice

    answer(
        choice(backend, options, profile),
        question,
        system=system,
        form="json" if as_json else "whole" if no_stream else "stream",
        verbose=verbose,
    )
