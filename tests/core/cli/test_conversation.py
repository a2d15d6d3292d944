from __future__ import annotations

import json

import pytest

from modelplug.cli.conversation import Conversation, Round, Saved
from modelplug.messages import ModelMessage

ONE, TWO = Round("1+1?", "2"), Round("And 2+2?", "4")


def texts(messages: list[ModelMessage]) -> list[str]:
    """What is sent, in order."""
    return [message.text for message in messages]


class TestConversation:
    def test_a_question_is_sent_with_all_before_it(self) -> None:
        """The instructions come first."""
        messages = Conversation("Be brief.", [ONE]).ask("And 2+2?")
        assert [message.role for message in messages] == ["system", "human", "ai", "human"]
        assert texts(messages) == ["Be brief.", "1+1?", "2", "And 2+2?"]

    def test_an_answer_makes_a_round(self) -> None:
        """It is part of what is sent from then on."""
        conversation = Conversation()
        conversation.ask("1+1?")
        conversation.answered("2")
        assert conversation.rounds == (ONE,)

    def test_a_question_without_an_answer_leaves_no_trace(self) -> None:
        """The next one is sent as if it had never been."""
        conversation = Conversation(None, [ONE])
        conversation.ask("What failed?")
        assert texts(conversation.ask("And 2+2?")) == ["1+1?", "2", "And 2+2?"]

    def test_what_failed_can_be_asked_again(self) -> None:
        """With all that precedes it."""
        conversation = Conversation(None, [ONE])
        conversation.ask("And 2+2?")
        assert texts(conversation.ask_again()) == ["1+1?", "2", "And 2+2?"]
        conversation.answered("4")
        assert conversation.rounds == (ONE, TWO)

    def test_what_was_answered_can_be_asked_again(self) -> None:
        """The new answer takes the place of the old one, once it is there."""
        conversation = Conversation(None, [ONE, TWO])
        assert texts(conversation.ask_again()) == ["1+1?", "2", "And 2+2?"]
        assert conversation.rounds == (ONE, TWO)
        conversation.answered("Four.")
        assert conversation.rounds == (ONE, Round("And 2+2?", "Four."))

    def test_asking_again_in_vain_loses_nothing(self) -> None:
        """What is asked next follows the answer that there was."""
        conversation = Conversation(None, [ONE])
        conversation.ask_again()
        assert texts(conversation.ask("And 2+2?")) == ["1+1?", "2", "And 2+2?"]

    def test_the_last_round_can_be_taken_back(self) -> None:
        """It is neither sent nor asked again."""
        conversation = Conversation(None, [ONE, TWO])
        assert conversation.undo() == TWO
        assert conversation.rounds == (ONE,)
        with pytest.raises(ValueError, match="no question"):
            conversation.ask_again()

    def test_nothing_to_take_back_is_said(self) -> None:
        """An empty conversation stays empty."""
        with pytest.raises(ValueError, match="nothing to take back"):
            Conversation().undo()

    def test_clearing_keeps_the_instructions(self) -> None:
        """They were given for all that is to come."""
        conversation = Conversation("Be brief.", [ONE])
        conversation.clear()
        assert texts(conversation.messages()) == ["Be brief."]


class TestSaved:
    def test_it_is_read_as_it_was_written(self) -> None:
        """Names, instructions and rounds, Chinese text included."""
        text = Saved(
            backend="acme", model="big", conversation=Conversation("Kurz.", [Round("你好", "嗨")])
        ).to_json()
        saved = Saved.of_json(text)
        assert (saved.backend, saved.model) == ("acme", "big")
        assert saved.conversation.system == "Kurz."
        assert saved.conversation.rounds == (Round("你好", "嗨"),)
        assert "你好" in text

    def test_a_file_has_exactly_what_is_promised(self) -> None:
        """Roles bear the names that most services use."""
        text = Saved(backend="acme", model="big", conversation=Conversation(None, [ONE])).to_json()
        assert json.loads(text) == {
            "version": 1,
            "backend": "acme",
            "model": "big",
            "messages": [
                {"role": "user", "content": "1+1?"},
                {"role": "assistant", "content": "2"},
            ],
        }

    def test_what_was_loaded_can_be_asked_again(self) -> None:
        """The last question is known."""
        text = Saved(backend=None, model=None, conversation=Conversation(None, [ONE])).to_json()
        assert texts(Saved.of_json(text).conversation.ask_again()) == ["1+1?"]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("[" * 100_000, "not a JSON object"),
            ('{"messages": 1}', "not a JSON object"),
            ('{"messages": [1]}', "a message is"),
            ('{"messages": [{"role": "user"}]}', "lacks"),
            ('{"messages": [{"role": "user", "content": "a"}]}', "in turn"),
            ('{"messages": [{"role": "assistant", "content": "a"}]}', "in turn"),
            (
                '{"messages": [{"role": "user", "content": []},'
                ' {"role": "assistant", "content": "a"}]}',
                "more than text",
            ),
            ('{"messages": [], "version": 2}', "version 2"),
        ],
        ids=lambda value: value[:40],
    )
    def test_what_is_no_conversation_is_refused(self, text: str, told: str) -> None:
        """The error says what is wrong with it."""
        with pytest.raises(ValueError, match=told):
            Saved.of_json(text)
