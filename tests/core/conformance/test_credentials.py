"""What looks like a credential."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest

from modelplug.conformance import Account
from modelplug.conformance.credentials import credentials_in

ACCOUNT = Account()
FORMS = {
    "raw": str,
    "quoted": lambda text: quote(text, safe=""),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 within": lambda text: b64encode(f'api_key="{text}", x'.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", ["api_key", "api_secret"])
def test_the_kits_own_are_found(secret: str, form: str) -> None:
    """In whatever form they come."""
    told = FORMS[form](getattr(ACCOUNT, secret))  # type: ignore[operator]  # each takes a text
    found = [*credentials_in(f'a\n{{"x": "{told}"}}')]
    assert found
    assert all(each.startswith("line 2 has what looks like") for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc123def456",
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "sk-proj-0123456789abcdefXYZ",
        "AKIA0123456789ABCDEF",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
        "wss://user:pa55word@acme.example/",
        "wss://acme.example/chat?authorization=YWJjZGVmZ2g&host=x",
        '{"access_token": "24.abcdef0123456789"}',
        r'{"inner": "{\"api_key\": \"0123456789\"}"}',
        "api_secret = 'MDEyMzQ1Njc4OQ'",
        "x-api-key: 'abcdef0123456789'",
        '{"token": "24.abcdef0123456789"}',
        "wss://acme.example/chat?token=24.abcdef&host=x",
    ],
)
def test_what_looks_like_one_is_found(text: str) -> None:
    """Better one too many: a recording is published."""
    assert [*credentials_in(text)]


@pytest.mark.parametrize(
    "text",
    [
        '{"prompt_tokens": 37, "total_tokens": "~total_tokens~", "max_tokens": 1024}',
        '{"sid": "cht000b0c24@dx1916602ea10b808550", "header": {"code": 0}}',
        '{"message": "HMAC signature does not match"}',
        'source = "https://acme.example/docs/streaming?page=2, read 2026-11-21"',
        '{"api_key": "~id~", "object": "chat.completion.chunk", "finish_reason": null}',
        '{"token": "Strawberry", "logprob": -0.1, "secret": "a secret garden"}',
        '{"token": "Rindfleischetikettierungsgesetz"}',
        '{"id": "task-sk-learn-tutorial-example"}',
        "你好,世界。星火认知大模型",
    ],
)
def test_what_is_none_is_left_alone(text: str) -> None:
    """Or nobody could record anything."""
    assert [*credentials_in(text)] == []
