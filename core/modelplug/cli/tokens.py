"""``modelplug tokens``: how long a text is for a model, without asking anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from modelplug.cli.failure import Failure
from modelplug.cli.parameters import backend_option, profile_option
from modelplug.cli.prompt import text_of_file, text_of_standard_input
from modelplug.cli.terminal import one_line, to_json, write

if TYPE_CHECKING:
    from modelplug.tokens import TokenCount

__all__ = ["tokens"]

_MORE = """\
Without a FILE, or for -, standard input is counted. Each gets a line: its tokens, a tab, its
name; several get a line with the total, too. Standard error says whether that is exact, and
what counted.

Nothing is sent anywhere, and no account is needed. Where a backend has no counter of its own,
pip install "modelplug[tokens]" has OpenAI's.

\b
Examples:
  modelplug tokens report.txt -b acme
  modelplug tokens *.md -b acme:large
  git diff | modelplug tokens --json

\b
Exit status:
  0  counted
  1  it can't be counted
  2  wrong usage
"""

_STDIN = "-"


@click.command(epilog=_MORE)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@backend_option
@profile_option
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object instead.")
def tokens(
    *, files: tuple[str, ...], backend: str | None, profile: str | None, as_json: bool
) -> None:
    """Count the tokens of files for a model."""
    # Here, as in each command: pydantic and asyncio come along, and --help needn't wait.
    from modelplug.cli.choice import choice
    from modelplug.cli.logs import log_plainly

    log_plainly()
    config = choice(backend, (), profile)
    names = files or (_STDIN,)
    model, counts = _counted(config, [_text(name) for name in names])
    if any(count.n < 0 for count in counts):
        raise Failure(f"tokens of {model} can't be counted here")
    rows = [
        (count.n, click.format_filename(name)) for count, name in zip(counts, names, strict=True)
    ]
    exact = all(count.exact for count in counts)
    methods = list(dict.fromkeys(count.method for count in counts))
    if as_json:
        write(to_json(_record(rows, model=model, exact=exact, methods=methods)))
    else:
        for n, name in [*rows, (_total(rows), "total")] if len(rows) > 1 else rows:
            write(f"{n}\t{one_line(name)}")
        told = f"{'exact' if exact else 'about'}: {model}, by {' and '.join(methods)}"
        click.echo(one_line(told), err=True)


def _text(name: str) -> str:
    if name != _STDIN:
        return text_of_file(name)
    text = text_of_standard_input()
    if text is None:
        raise click.UsageError("nothing to count: give a FILE, or text on standard input")
    return text


def _counted(
    config: Mapping[str, object], texts: Sequence[str]
) -> tuple[str, Sequence[TokenCount]]:
    """The model that is meant, and its count of each text."""
    import asyncio

    # Here, as above.
    from modelplug.factory import new_client
    from modelplug.settings import CREDENTIALS

    # Whatever account there is stays unread, and whoever has none can count all the same.
    account: dict[str, Any] = dict.fromkeys(CREDENTIALS, "not-needed-to-count")
    with new_client(config, **account) as client:

        async def count() -> Sequence[TokenCount]:
            return [await client.count_tokens(text) for text in texts]

        return client.default_model, asyncio.run(count())


def _record(
    rows: Sequence[tuple[int, str]], *, model: str, exact: bool, methods: Sequence[str]
) -> dict[str, object]:
    return {
        "tokens": _total(rows),
        "exact": exact,
        "method": " and ".join(methods),
        "model": model,
        "files": [{"name": name, "tokens": n} for n, name in rows],
    }


def _total(rows: Sequence[tuple[int, str]]) -> int:
    return sum(n for n, _ in rows)
