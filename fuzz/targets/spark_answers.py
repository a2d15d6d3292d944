"""Whatever a client asks of the emulated service, it answers, and frees what the answer held.

An input is messages, a line each, on the path that Spark Lite and hosted models share.
"""

from __future__ import annotations

from fuzz.mutation import json_lines as mutate
from modelplug_spark.emulation.gateway import Account
from modelplug_spark.emulation.service import Settings, SparkService
from modelplug_spark.frames import decode_response

__all__ = ["check", "mutate"]

ACCOUNT = Account(app_id="12345678", api_key="key", api_secret="secret")
SETTINGS = Settings(account=ACCOUNT, hosted=("xdeepseekr1",), concurrent=1, suspect=("sky",))


def check(data: bytes) -> None:
    """Fail if a message isn't answered in frames that the client could read, the last of them 2."""
    service = SparkService(SETTINGS)
    for message in data.split(b"\n"):
        answer = service.ask("/v1.1/chat", message, 1_760_000_000.0)
        last = decode_response(answer.frames[-1].message)
        assert last.header.status == 2
        service.done(answer)
        assert service.running == 0
