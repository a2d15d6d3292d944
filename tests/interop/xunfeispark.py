"""Asks a local Spark with xunfeispark, a small client from PyPI; it doesn't stream.

Usage: xunfeispark.py URL APP_ID API_KEY API_SECRET QUESTION; foreign.py says what it prints.
"""

import contextlib
import io
import json
import os
import sys

from pysparkai import PySparkAI


def ask() -> dict[str, object]:
    """One question; what came, or how it failed."""
    url, app_id, key, secret, question = sys.argv[1:]
    client = PySparkAI(
        api_key=key,
        api_secret=secret,
        app_id=app_id,
        spark_url=f"{url}/v3.5/chat",
        domain="generalv3.5",
    )
    # It prints failures, and nothing else, and gives an empty answer then.
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        answer = client.chat([{"role": "user", "content": question}])
    if told := printed.getvalue():
        return {"error": told}
    return {"text": answer["choices"][0]["message"], "usage": answer["usage"]}


print(json.dumps([ask()]), flush=True)
os._exit(0)  # its timer, a thread that is no daemon, would keep the process for ten seconds
