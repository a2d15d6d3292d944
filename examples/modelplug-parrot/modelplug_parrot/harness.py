"""What ``modelplug conformance parrot`` needs: how the parrot says and hears things."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from modelplug import Delta, Finish, FinishReason
from modelplug.conformance import Account, Asked, Harness
from modelplug.testing import Fail, FailKind, RawRequest, Status

CODES: Mapping[FailKind, str] = {
    "auth": "stranger",
    "permission": "no-perch",
    "rate_limit": "too-fast",
    "concurrency": "too-many",
    "context_length": "too-long",
    "content_filter_input": "rude",
    "bad_request": "nonsense",
    "unknown_model": "no-such-bird",
    "server": "fell-off",
    "overloaded": "asleep",
    "unknown_code": "moulting",
}

REASONS: Mapping[FinishReason, str] = {"length": "out-of-breath", "content_filter": "hushed"}

NAMES: Mapping[str, str] = {"max_tokens": "max_new_tokens"}


class ParrotEncoder:
    """The messages of one answer."""

    def _message(self, **told: object) -> Sequence[bytes]:
        return [json.dumps({"id": "call-1", **told}, ensure_ascii=False).encode()]

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """A piece of the answer."""
        return self._message(say=delta.text)

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """The end, and what it cost."""
        usage = finish.usage
        tokens = [usage.prompt_tokens, usage.completion_tokens] if usage else None
        return self._message(done=finish.raw or REASONS.get(finish.reason, "said"), tokens=tokens)

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """A failure."""
        code = CODES.get(fail.kind, fail.kind)
        return self._message(error=code, message=fail.message or code, wait=fail.retry_after)

    def noise(self) -> Sequence[bytes]:
        """Something that means nothing."""
        return self._message(mood="cheerful")


class ParrotCodec:
    """How the parrot's service says things, and hears them."""

    def encoder(self, request: RawRequest) -> ParrotEncoder:
        """One for each answer."""
        return ParrotEncoder()

    def refusal(self, fail: Fail) -> Status | None:
        """Wrong keys don't get in."""
        return Status(401, fail.message or "who are you?") if fail.kind == "auth" else None

    def asked(self, request: RawRequest) -> Asked:
        """What a message asks.

        Raises:
            ValueError: it is no question.
        """
        match json.loads(request.body):
            case {"model": str(model), "turns": list(turns), "settings": dict(settings)}:
                heard = {NAMES.get(name, name): value for name, value in settings.items()}
                return Asked(messages=[turn_of(each) for each in turns], model=model, params=heard)
        raise ValueError("nothing that a parrot is asked")

    def verify_auth(self, request: RawRequest, account: Account, now: float) -> str | None:
        """The key is all of the query."""
        key = f"key={quote(account.api_key, safe='')}"
        return None if request.query == key else "another key than the account's"


def turn_of(turn: object) -> tuple[str, str]:
    """Who said what.

    Raises:
        ValueError: nobody said anything.
    """
    match turn:
        case [str(who), str(text)]:
            return who, text
    raise ValueError("a turn is somebody and a text")


def params(url: str, account: Account) -> Mapping[str, object]:
    """The arguments of ``new_client`` for a service and an account."""
    return {"api_base": f"{url}/speak", "api_key": account.api_key}


HARNESS = Harness(
    codec=ParrotCodec(),
    params=params,
    finish_reasons={"said": "stop", **{word: reason for reason, word in REASONS.items()}},
    cannot_express={
        "quota": "parrots speak for nothing",
        "content_filter_output": "a parrot never hears itself",
    },
)
