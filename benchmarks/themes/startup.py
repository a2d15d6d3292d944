"""Start-up: whole processes, from outside."""

from __future__ import annotations

from benchmarks.case import Case, Subject
from benchmarks.subjects import OURS

__all__ = ["CASES"]

SHOWS = ("cpu", "wall", "peak")
STARTS = 3
"""How often each is started in a run, which tells the median."""

_PYDANTIC = "pydantic, one model"
_CLICK = "click and rich"
_HTTPX = "httpx"


def _subject(name: str, text: str, *, beside: str, foreign: bool = False) -> Subject:
    ours = None if name == OURS else OURS
    return Subject(name=name, makes=text, beside=beside, ours=ours, foreign=foreign)


def _peer(name: str, text: str) -> Subject:
    return _subject(name, text, beside=_HTTPX, foreign=True)


CASES = (
    Case(
        name="startup-client",
        title="Start-up: the first client",
        note="A process that makes one client and ends, beside one that imports pydantic and"
        " defines a model.",
        subjects=(
            _subject(
                OURS, "from modelplug import new_client; new_client('echo')", beside=_PYDANTIC
            ),
            _subject(
                _PYDANTIC,
                "from pydantic import BaseModel\nclass Model(BaseModel):\n    number: int",
                beside=_PYDANTIC,
            ),
        ),
        shows=SHOWS,
        asks=STARTS,
    ),
    Case(
        name="startup-command",
        title="Start-up: the command line",
        note="`modelplug --help`, beside a process that imports what it is made with.",
        subjects=(
            _subject(
                OURS,
                "import sys; sys.argv = ['modelplug', '--help']\n"
                "from modelplug.cli import main; main()",
                beside=_CLICK,
            ),
            _subject(_CLICK, "import click, rich", beside=_CLICK),
        ),
        shows=SHOWS,
        asks=STARTS,
    ),
    Case(
        name="startup-wires",
        title="Start-up: a client for a service",
        note="A process that makes a client of each library's and ends. What loads more when it"
        " is first asked isn't in it.",
        subjects=(
            _subject(
                OURS,
                "from modelplug import new_client; new_client('openai', proxy_api_key='k')",
                beside=_HTTPX,
            ),
            _subject(
                "modelplug, Spark",
                "from modelplug import new_client; new_client('spark', proxy_api_key='k',"
                " proxy_api_secret='s', proxy_api_app_id='a')",
                beside=_HTTPX,
            ),
            _peer(_HTTPX, "import httpx; httpx.AsyncClient()"),
            _peer("openai", "import openai; openai.AsyncOpenAI(api_key='k')"),
            _peer(
                "any-llm",
                "from any_llm import AnyLLM; AnyLLM.create('openai', api_key='k')",
            ),
            _peer("litellm", "from litellm import acompletion"),
            _peer("spark-ai-python", "from sparkai.llm.llm import ChatSparkLLM"),
            _peer(
                "langchain-community", "from langchain_community.chat_models import ChatSparkLLM"
            ),
        ),
        shows=SHOWS,
        asks=STARTS,
        fewer={"any-llm": 1, "litellm": 1, "langchain-community": 1},
        drawn=True,
    ),
)
