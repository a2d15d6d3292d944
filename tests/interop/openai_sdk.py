"""Asks a local service of OpenAI's wire with OpenAI's own SDK, openai.

Usage: openai_sdk.py URL KEY; prints a line of JSON with what each way of asking gave. Failures
are told by the names of the SDK's classes, their status and their code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import openai

PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": PLACE}}
WANTED = {"type": "json_schema", "json_schema": {"name": "place", "schema": PLACE}}


def user(text: str) -> dict[str, Any]:
    """A question."""
    return {"role": "user", "content": text}


class Asking:
    """The ways to ask; each gives what it got, as JSON has it."""

    def __init__(self, url: str, key: str) -> None:
        self._client = openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=60)
        self._stranger = self._client.with_options(api_key="sk-other")
        self._chat = self._client.chat.completions

    def models(self) -> Any:
        """The list of models."""
        return [model.id for model in self._client.models.list()]

    def whole(self) -> Any:
        """An answer all at once."""
        found = self._chat.create(model="any", messages=[user("Why, 小明?")])
        (choice,) = found.choices
        return {
            "text": choice.message.content,
            "reason": choice.finish_reason,
            "usage": found.usage.to_dict(),
        }

    def streamed(self) -> Any:
        """The same in pieces."""
        options = {"include_usage": True}
        chunks = [
            *self._chat.create(
                model="any", messages=[user("Why, 小明?")], stream=True, stream_options=options
            )
        ]
        *with_choices, last = chunks
        choices = [choice for chunk in with_choices for choice in chunk.choices]
        pieces = [choice.delta.content for choice in choices if choice.delta.content]
        return {
            "text": "".join(pieces),
            "pieces": len(pieces),
            "reason": choices[-1].finish_reason,
            "usage": last.usage.to_dict(),
            "ids": len({chunk.id for chunk in chunks}),
        }

    def called(self) -> Any:
        """A round with a function, streamed through the SDK's own accumulator."""
        asked = [user("The weather, please.")]
        with self._chat.stream(model="any", messages=asked, tools=[TOOL]) as stream:
            pieces = sum(each.type == "tool_calls.function.arguments.delta" for each in stream)
            message = stream.get_final_completion().choices[0].message
        (call,) = message.tool_calls
        asked += [
            {"role": "assistant", "tool_calls": [call.to_dict()]},
            {"role": "tool", "tool_call_id": call.id, "content": "rain"},
        ]
        answered = self._chat.create(model="any", messages=asked, tools=[TOOL])
        return {
            "name": call.function.name,
            "arguments": call.function.arguments,
            "pieces": pieces,
            "answer": answered.choices[0].message.content,
        }

    def schema(self) -> Any:
        """An answer that fits a schema."""
        found = self._chat.create(model="any", messages=[user("Oslo")], response_format=WANTED)
        return json.loads(found.choices[0].message.content)

    def stranger(self) -> Any:
        """With a key that isn't let in."""
        return self._failure(self._stranger.models.list)

    def elsewhere(self) -> Any:
        """A place that there isn't."""
        return self._failure(
            lambda: self._client.embeddings.create(model="any", input="x", encoding_format="float")
        )

    def bad(self) -> Any:
        """A value that is out of range."""
        return self._failure(
            lambda: self._chat.create(model="any", messages=[user("hi")], temperature=3)
        )

    def scripted(self) -> Any:
        """What a script has the service say to these questions."""
        kinds = ("rate_limit", "server", "overloaded", "permission", "unknown_model")
        return {kind: self._failure(partial(self._asked, kind)) for kind in kinds}

    def _asked(self, question: str) -> object:
        return self._chat.create(model="any", messages=[user(question)])

    def amid(self) -> Any:
        """A failure after the first piece of a stream."""

        def listen() -> None:
            for chunk in self._chat.create(model="any", messages=[user("amid")], stream=True):
                heard.extend(choice.delta.content for choice in chunk.choices)

        heard: list[str | None] = []
        return {**self._failure(listen), "heard": heard}

    def _failure(self, ask: Callable[[], object]) -> dict[str, Any]:
        try:
            ask()
        except openai.APIError as error:
            return {
                "error": type(error).__name__,
                "status": getattr(error, "status_code", None),
                "code": error.code,
            }
        return {"error": None}


def main() -> None:
    """Ask in all ways."""
    asking = Asking(*sys.argv[1:])
    ways = [name for name in vars(Asking) if not name.startswith("_")]
    print(json.dumps({name: getattr(asking, name)() for name in ways}))


main()
