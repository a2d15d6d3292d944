"""fakellm, a server for the tests of apps, behind uvicorn, until its standard input ends.

Prints its address. The folder in its argument gets the rules by which it answers.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

RULES = """\
rules:
  - name: tool
    when: {messages_contain: "weather", turn: 1}
    respond:
      tool_calls:
        - name: weather
          arguments: {city: "Oslo"}
  - name: limited
    when: {messages_contain: "too much"}
    respond: {status: 429, error: "slow down"}
  - name: broken
    when: {messages_contain: "break"}
    respond: {status: 500, error: "it broke"}
  - name: said
    respond: {content: "This is what the rule says, word by word."}
"""


def main() -> None:
    """Write the rules, serve, wait."""
    rules = Path(sys.argv[1]) / "fakellm.yaml"
    rules.write_text(RULES)
    os.environ["FAKELLM_CONFIG"] = str(rules)

    import uvicorn  # after the rules are there: its app reads them when it is imported

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config("fakellm.server:app", log_level="error")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, args=([listening],), daemon=True).start()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    sys.stdin.read()


main()
