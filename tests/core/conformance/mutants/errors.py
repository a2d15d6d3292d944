"""Mutants of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    Call,
    ConcurrencyLimitError,
    ConnectionLostError,
    ContentFilterError,
    Delta,
    Finish,
    HandshakeError,
    ModelOutput,
    ModelRequest,
    OverloadedError,
    ProxyLLMError,
    QuotaError,
    RateLimitError,
    ServerError,
    TransportError,
)
from modelplug.transport.handshake import Refusal
from modelplug.transport.websocket import WebSocket
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient


def retold(error: ProxyLLMError, kind: type[ProxyLLMError]) -> ProxyLLMError:
    """The same as an error of another class."""
    return kind(
        error.message,
        provider_code=error.provider_code,
        provider_message=error.provider_message,
        retry_after=error.retry_after,
        hint=error.hint,
    )


class Mistakes(ReferenceClient):
    """Takes one kind of failure for another."""

    taken: tuple[type[ProxyLLMError], type[ProxyLLMError]]

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """As it is taken."""
        error = super().failure(told)
        right, wrong = self.taken
        return retold(error, wrong) if isinstance(error, right) else error


@mutant(kills="ERR-01", words="expected 'AuthenticationError', got 'HandshakeError'")
class IgnoresTheStatus(ReferenceClient):
    """Knows no status of the handshake."""

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """One error for all."""
        return HandshakeError("the handshake failed", status=refusal.status)


@mutant(kills="ERR-01", words="but the call ended with the text")
class IgnoresCodes(ReferenceClient):
    """Never looks at a message's code."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """Takes what is no text for the end."""
        try:
            return super().read(message, call)
        except BackendError:
            return [Finish("stop")]


@mutant(kills="ERR-01", words="whether to try again: expected False, got True")
class RetriesWrongKeys(ReferenceClient):
    """Says that a wrong key may be right the next time."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """All can be retried."""
        error = super().failure(told)
        error.retryable = True
        return error


@mutant(kills="ERR-02", words="expected 'QuotaError', got 'RateLimitError'")
class QuotaAsRateLimit(Mistakes):
    """Takes all limits for rates."""

    taken = (QuotaError, RateLimitError)


@mutant(kills="ERR-03", words="retry_after, in seconds: expected 71963.0, got None")
class LosesRetryAfter(ReferenceClient):
    """Doesn't pass on how long to wait."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Without it."""
        error = super().failure(told)
        error.retry_after = None
        return error


@mutant(kills="ERR-03", words="retry_after, in seconds: expected 71963.0, got 71.963")
class WaitsMilliseconds(ReferenceClient):
    """Takes seconds for milliseconds."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """A thousandth."""
        error = super().failure(told)
        if error.retry_after is not None:
            error.retry_after /= 1000
        return error


@mutant(kills="ERR-03", words="retry_after: expected None, got 1.0")
class InventsRetryAfter(ReferenceClient):
    """Says how long to wait where the service doesn't."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """A second."""
        error = super().failure(told)
        error.complete(retry_after=1.0)
        return error


@mutant(kills="ERR-04", words="expected 'ConcurrencyLimitError', got 'RateLimitError'")
class LumpsLimits(Mistakes):
    """Takes too many at once for too many a minute."""

    taken = (ConcurrencyLimitError, RateLimitError)


@mutant(kills="ERR-05", words="expected 'ContextLengthError', got 'BadRequestError'")
class KnowsTwoTexts(ReferenceClient):
    """Tells a context that is too long by what such errors said last year."""

    texts = ("maximum context length", "too many tokens")

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """By its text."""
        error = super().failure(told)
        if error.provider_code != "context_length" or str(told["message"]) in self.texts:
            return error
        return retold(error, BadRequestError)


@mutant(kills="ERR-06", words="expected 'ContentFilterError', got 'ServerError'")
class FilterAsServerError(Mistakes):
    """Takes an audit's refusal for a failure of the service."""

    taken = (ContentFilterError, ServerError)


@mutant(kills="ERR-06", words="the stage: expected 'input', got None")
class ForgetsTheStage(Mistakes):
    """Doesn't say what was refused."""

    taken = (ContentFilterError, ContentFilterError)


@mutant(kills="ERR-07", words="the stage: expected 'output', got 'input'")
class AlwaysBlamesTheInput(ReferenceClient):
    """Blames the input for what the model said."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Always the input."""
        error = super().failure(told)
        if isinstance(error, ContentFilterError):
            error.stage = "input"
        return error


@mutant(kills="ERR-07", words="the partial's text: expected 'Hello, ', got ''")
class TakesBackTheAnswer(ReferenceClient):
    """Throws away what was said when the audit stops it."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """With an empty partial."""
        error = super().failure(told)
        if isinstance(error, ContentFilterError):
            error.partial = ModelOutput(final=False)
        return error


@mutant(kills="ERR-08", words="expected 'ModelNotFoundError', got 'BadRequestError'")
class OneDrawer(ReferenceClient):
    """Has one error for all."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Always a bad request."""
        return retold(super().failure(told), BadRequestError)


@mutant(kills="ERR-09", words="expected 'ServerError', got 'BadRequestError'")
class FailuresAsBadRequests(Mistakes):
    """Blames the caller for what fails inside the service."""

    taken = (ServerError, BadRequestError)


@mutant(kills="ERR-09", words="whether to try again: expected True, got False")
class GivesUpEarly(ReferenceClient):
    """Says that a service which has no capacity now never will."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Nothing can be retried."""
        error = super().failure(told)
        error.retryable = False
        return error


@mutant(kills="ERR-10", words="expected 'BackendError', got 'PluginContractError'")
class LooksUpCodes(ReferenceClient):
    """Looks codes up in a table that is never complete."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """By the table."""
        table = {"auth": AuthenticationError, "server": ServerError}
        return table[told["error"]](told["message"])


@mutant(kills="ERR-10", words="neither code nor words")
class DropsUnknownCodes(ReferenceClient):
    """Has nothing to say of what it doesn't know."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Without the code."""
        error = super().failure(told)
        return BackendError("unknown error") if type(error) is BackendError else error


@mutant(kills="ERR-11", words="the call ended without any output")
class JustEnds(ReferenceClient):
    """Returns from its generator where something fails."""

    async def generate_stream(self, request: Any, message_converter: Any = None) -> Any:
        """Ends without a word."""
        with suppress(ProxyLLMError):
            async for output in super().generate_stream(request, message_converter):
                yield output


@mutant(kills="ERR-11", words="the outputs before the error: expected 0, got 1")
class SaysHello(ReferenceClient):
    """Gives out a piece before it asks."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """A blank first."""
        yield Delta(" ")
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="ERR-12", words="the partial's text: expected 'Hello, ', got 'Hello'")
class LooksAhead(ReferenceClient):
    """Holds a piece back until it has the next, and loses it when there is none."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Always one behind."""
        held = None
        async for piece in super().stream_deltas(request, call):
            if held is not None:
                yield held
            held = piece
        yield held


@mutant(kills="ERR-12", words="request ids: expected {'session-7'}, got {'unknown'}")
class NamesNoSession(ReferenceClient):
    """Says of an error that it belongs to no session."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """With another name."""
        error = super().failure(told)
        error.request_id = "unknown"
        return error


class OwnStream(ReferenceClient):
    """Has a stream of its own, beside the core's."""

    async def generate_stream(self, request: Any, message_converter: Any = None) -> Any:
        """With the core's outputs and errors, as it changes them."""
        outputs = []
        try:
            async for output in super().generate_stream(request, message_converter):
                outputs.append(output)
                if len(outputs) > 1:
                    yield outputs[-2]
            yield outputs[-1]
        except ProxyLLMError as error:
            for output in self.changed(outputs, error):
                yield output
            raise

    def changed(self, outputs: list[ModelOutput], error: ProxyLLMError) -> list[ModelOutput]:
        """What is given out before an error, when all but the last was."""
        return outputs[-1:]


@mutant(kills="ERR-12", words="the deltas before the error: expected 'Hello, ', got 'Hello'")
class LosesTheLast(OwnStream):
    """Loses the last output before an error."""

    def changed(self, outputs: list[ModelOutput], error: ProxyLLMError) -> list[ModelOutput]:
        """Nothing more."""
        return []


@mutant(kills="ERR-12", words="the error has no partial")
class NoPartial(OwnStream):
    """Forgets the answer so far."""

    def changed(self, outputs: list[ModelOutput], error: ProxyLLMError) -> list[ModelOutput]:
        """The error alone."""
        error.partial = None
        return outputs[-1:]


@mutant(kills="ERR-12", words="a final output came before the error")
class FinalThenError(OwnStream):
    """Ends an answer, and fails it afterwards."""

    def changed(self, outputs: list[ModelOutput], error: ProxyLLMError) -> list[ModelOutput]:
        """With an end."""
        return [*outputs[-1:], ModelOutput(finish_reason="other")]


@mutant(kills="ERR-12", words="the partial says that the answer is whole")
class PartialAsWhole(OwnStream):
    """Says that what broke off is whole."""

    def changed(self, outputs: list[ModelOutput], error: ProxyLLMError) -> list[ModelOutput]:
        """A final partial."""
        text = error.partial.text if error.partial else ""
        error.partial = ModelOutput(text, finish_reason="stop")
        return outputs[-1:]


@mutant(kills="ERR-13", words="expected an error, but the call ended with")
class ErrorsAsText(ReferenceClient):
    """Says what failed in the model's place, as DB-GPT's clients do."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Never raises."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except ProxyLLMError as error:
            yield Delta(f"**LLMServer Generate Error, Please CheckErrorInfo.**: {error}")
            yield Finish("other")


@mutant(kills="ERR-13", words="the model is said to have said")
class ErrorsAsTextToo(ReferenceClient):
    """Says what failed, and then raises it."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Raises late."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except ProxyLLMError as error:
            failure = error
            yield Delta(str(error))
            raise failure from None


class Stubborn(ReferenceClient):
    """Asks again when something fails."""

    retried: tuple[type[ProxyLLMError], ...] = (OverloadedError, TransportError)
    begun = False

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Twice."""
        has_begun = False
        try:
            async for piece in super().stream_deltas(request, call):
                has_begun = True
                yield piece
            return
        except self.retried:
            if has_begun != self.begun:
                raise
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="ERR-14", words="connections of one call: expected 1, got 2")
class AnswersTwice(Stubborn):
    """Begins the answer again after some of it was given out."""

    begun = True


@mutant(kills="ERR-15", words="connections of one call: expected 1, got 2")
class RetriesByItself(Stubborn):
    """Asks again by itself what the caller may ask again as well."""


@mutant(kills="ERR-16", words="but the call ended with")
class TakesPagesForAnswers(ReferenceClient):
    """Takes a login page for an empty answer, as its status is 200."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Nothing, well ended."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except BackendError as error:
            if error.provider_code != 200:
                raise
            yield Finish("stop")


@mutant(kills="ERR-16", words="HTTP status 302 to the handshake: connections: expected 1, got 2")
class FollowsRedirects(ReferenceClient):
    """Goes wherever it is sent."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Here, as it can't see where."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except BackendError as error:
            if error.provider_code != 302:
                raise
            with suppress(ProxyLLMError):
                async for piece in super().stream_deltas(request, call):
                    yield piece
            raise


@mutant(kills="ERR-16", words="expected HandshakeError or BackendError, got TransportError")
class NamesPages(ReferenceClient):
    """Says what it likes of a page."""

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """That the wire failed."""
        return TransportError("the page can't be read")


@mutant(kills="ERR-16", words="the error's text has")
class RepeatsPages(ReferenceClient):
    """Puts all of a page into its error."""

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """The body as it came."""
        return HandshakeError(f"refused: {refusal.message}", status=refusal.status)


@mutant(kills="ERR-16", words="a key stands in the error's asked_with")
class ShowsKeys(ReferenceClient):
    """Shows what it asked with, in a set, which the core doesn't look through."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Tells the caller what to check."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except BackendError as error:
            key = call.credential().api_key.reveal()
            error.__dict__["asked_with"] = {f"with {key}"}
            raise


@mutant(kills="ERR-17", words="provider_message is")
class ReadsLatin(ReferenceClient):
    """Decodes the text of errors, and of nothing else, as Latin-1."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Mojibake."""
        error = super().failure(told)
        error.provider_message = str(told["message"]).encode().decode("latin-1")
        return error


@mutant(kills="ERR-17", words="provider_message is ''")
class DropsWords(ReferenceClient):
    """Doesn't say what the gateway said."""

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """The status alone."""
        return AuthenticationError("refused", provider_code=refusal.status)


@mutant(kills="ERR-18", words="the plugin raised ConnectionResetError")
class LetsThrough(ReferenceClient):
    """Doesn't translate what its library raises."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """With the system's own exceptions."""
        try:
            async for piece in super().pieces(ws, call):
                yield piece
        except ConnectionLostError:
            raise ConnectionResetError(104, "Connection reset by peer") from None


@mutant(kills="ERR-18", words="OSError from outside modelplug's errors")
class LetsAllThrough(ReferenceClient):
    """Has a stream of its own that translates nothing."""

    async def generate_stream(self, request: Any, message_converter: Any = None) -> Any:
        """Raises as libraries do."""
        try:
            async for output in super().generate_stream(request, message_converter):
                yield output
        except ProxyLLMError as error:
            raise OSError(str(error)) from None


class WordyError(BackendError):
    """Can't be made of what it keeps."""

    def __init__(self, told: str, region: str) -> None:
        super().__init__(f"{told} in {region}")


class ForgetfulError(BackendError):
    """Travels without its fields."""

    def __reduce__(self) -> tuple[type[BackendError], tuple[str]]:
        return type(self), (self.message,)


@mutant(kills="ERR-19", words="the error can't be pickled: TypeError")
class UnpicklableErrors(ReferenceClient):
    """Has errors with arguments that pickle knows nothing of."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """One of its own."""
        return WordyError(told["message"], "cn-east")


@mutant(kills="ERR-19", words="pickled, says")
class ForgetfulErrors(ReferenceClient):
    """Has errors that lose their fields on the way."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """One of its own."""
        return ForgetfulError(told["message"], provider_code=told["error"])


@mutant(kills="ERR-20", words="the error has no hint")
class NoHints(ReferenceClient):
    """Tells nobody what to do."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Without a hint."""
        error = super().failure(told)
        error.hint = None
        return error


@mutant(kills="ERR-20", words="the error's backend: expected 'mutant-blamesanother', got 'other'")
class BlamesAnother(ReferenceClient):
    """Names another backend."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Not itself."""
        error = super().failure(told)
        error.backend = "other"
        return error


@mutant(kills="ERR-20", words="the error has no provider_code")
class UnknownErrors(ReferenceClient):
    """Says that something went wrong."""

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """Without the code."""
        error = super().failure(told)
        error.provider_code = None
        return error
