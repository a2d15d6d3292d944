"""A conversation: what is sent along with each question, without a terminal or a client."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from modelplug.messages import ModelMessage, as_messages

__all__ = ["Conversation", "Round", "Saved"]

_VERSION = 1


class Round(NamedTuple):
    """A question and what came of it."""

    question: str
    answer: str


class Conversation:
    """Rounds of question and answer, and the question that is open.

    A question joins the rounds with its answer, so that whatever fails leaves them as they
    were. The last one can be asked again: then its answer takes the place of the one before.

    Args:
        system: instructions that precede all rounds.
    """

    def __init__(self, system: str | None = None, rounds: Iterable[Round] = ()) -> None:
        self.system = system
        self._rounds = list(rounds)
        self._asked: str | None = self._rounds[-1].question if self._rounds else None
        # How many rounds stand before what was asked last.
        self._before = max(len(self._rounds) - 1, 0)

    @property
    def rounds(self) -> Sequence[Round]:
        """Those that are over, first to last."""
        return tuple(self._rounds)

    def ask(self, question: str) -> list[ModelMessage]:
        """The messages that ask something new."""
        self._asked, self._before = question, len(self._rounds)
        return self._to_send(question)

    def ask_again(self) -> list[ModelMessage]:
        """The messages that ask the last question once more, as if it hadn't been answered.

        Raises:
            ValueError: nothing was asked.
        """
        if self._asked is None:
            raise ValueError("there is no question to ask again")
        return self._to_send(self._asked)

    def answered(self, text: str) -> None:
        """What was asked last has this answer."""
        if self._asked is not None:
            self._rounds[self._before :] = [Round(self._asked, text)]

    def undo(self) -> Round:
        """Take the last round back; it is as if it had never been.

        Raises:
            ValueError: there is none.
        """
        if not self._rounds:
            raise ValueError("there is nothing to take back")
        self._asked = None
        return self._rounds.pop()

    def clear(self) -> None:
        """Forget all rounds; the instructions stay."""
        self._rounds.clear()
        self._asked = None

    def messages(self) -> list[ModelMessage]:
        """All that was said."""
        return _messages(self.system, self._rounds)

    def _to_send(self, question: str) -> list[ModelMessage]:
        before = _messages(self.system, self._rounds[: self._before])
        return [*before, ModelMessage("human", question)]


def _messages(system: str | None, rounds: Iterable[Round]) -> list[ModelMessage]:
    told = [ModelMessage("system", system)] if system else []
    for each in rounds:
        told += [ModelMessage("human", each.question), ModelMessage("ai", each.answer)]
    return told


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A conversation as a file has it: JSON, with the names of roles that most services use.

    Nothing else of the configuration is in it, so no address and no secret.

    Attributes:
        backend, model: who answered last.
        conversation: what was said.
    """

    backend: str | None
    model: str | None
    conversation: Conversation

    def to_json(self) -> str:
        """The file's text."""
        messages = [message.to_common() for message in self.conversation.messages()]
        record = {
            "version": _VERSION,
            "backend": self.backend,
            "model": self.model,
            "messages": messages,
        }
        return json.dumps(record, ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def of_json(cls, text: str) -> Saved:
        """What a file's text says.

        Raises:
            ValueError: it isn't JSON, or no conversation.
        """
        record = _parsed(text)
        version = record.get("version", _VERSION)
        if version != _VERSION:
            raise ValueError(f"it has version {version!r} of the format, and this reads {_VERSION}")
        messages = list(as_messages(record["messages"]))  # type: ignore[arg-type]  # checked there
        system = messages.pop(0).text if messages and messages[0].role == "system" else None
        backend, model = (record.get(name) for name in ("backend", "model"))
        return cls(
            backend=str(backend) if backend else None,
            model=str(model) if model else None,
            conversation=Conversation(system, _rounds(messages)),
        )


def _parsed(text: str) -> Mapping[str, object]:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("messages"), list):
        raise ValueError('it is not a JSON object with "messages"')
    return record


def _rounds(messages: Sequence[ModelMessage]) -> list[Round]:
    if [message.role for message in messages] != ["human", "ai"] * (len(messages) // 2):
        raise ValueError("its messages are not those of user and assistant in turn")
    if not all(isinstance(message.content, str) for message in messages):
        raise ValueError("it has messages that are more than text")
    texts = [message.text for message in messages]
    return [Round(*pair) for pair in zip(texts[::2], texts[1::2], strict=True)]
