"""Asks a local Spark with iFlytek's own SDK, spark-ai-python.

Usage: official_sdk.py URL APP_ID API_KEY API_SECRET QUESTION; foreign.py says what it prints.
"""

import json
import sys

from sparkai.core.messages import ChatMessage
from sparkai.llm.llm import ChatSparkLLM


def ask(*, streaming: bool) -> dict[str, object]:
    """One question; what came, or how it failed."""
    url, app_id, key, secret, question = sys.argv[1:]
    client = ChatSparkLLM(
        spark_api_url=f"{url}/v3.5/chat",
        spark_llm_domain="generalv3.5",
        spark_app_id=app_id,
        spark_api_key=key,
        spark_api_secret=secret,
        streaming=streaming,
        request_timeout=10,
        max_retries=1,
    )
    messages = [ChatMessage(role="user", content=question)]
    try:
        if streaming:
            pieces = [str(piece.content) for piece in client.stream(messages)]
            return {"text": "".join(pieces), "pieces": len(pieces)}
        result = client.generate([messages])
        usage = (result.llm_output or {}).get("token_usage")
        return {"text": result.generations[0][0].text, "usage": usage}
    except Exception as error:  # noqa: BLE001  # whatever the SDK makes of a refusal
        return {"error": f"{type(error).__name__}: {error}"}


print(json.dumps([ask(streaming=True), ask(streaming=False)]))
