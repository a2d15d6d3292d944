"""The pages that a search found, out of a frame's plugins.

``payload.plugins.text[]`` has a record for each plugin, whose ``content`` is JSON text:
``[{index, url, title}, ...]`` (S-Java SparkChatResponse; section 4.3 of the protocol notes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

__all__ = ["plugins_of", "sources_of"]

_FIELDS = ("index", "url", "title")


def sources_of(plugins: object) -> tuple[list[Mapping[str, object]], bool]:
    """The sources in ``payload.plugins``, and whether all of it could be read. It never raises."""
    records = plugins.get("text") if isinstance(plugins, dict) else None
    if not isinstance(records, list):
        return [], False
    found: list[Mapping[str, object]] = []
    readable = True
    for record in records:
        pages = _pages(record)
        good = [page for page in map(_source, pages or ()) if page is not None]
        readable = readable and pages is not None and len(good) == len(pages)
        found += good
    return found, readable


def plugins_of(sources: Iterable[Mapping[str, object]]) -> object:
    """The service's side: ``payload.plugins`` for some sources, with the recorded fields."""
    return {
        "text": [
            {
                "name": "ifly_search",
                "content": msgspec.json.encode([*sources]).decode(),
                "content_type": "text",
                "content_meta": None,
                "role": "tool",
                "status": "finished",
                "invoked": {
                    "namespace": "ifly_search",
                    "plugin_id": "ifly_search",
                    "plugin_ver": "",
                    "status_code": 200,
                    "status_msg": "Success",
                    "type": "local",
                },
            }
        ]
    }


def _pages(record: object) -> list[object] | None:
    content = record.get("content") if isinstance(record, dict) else None
    if not isinstance(content, str):
        return None
    try:
        pages: object = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return pages if isinstance(pages, list) else None


def _source(page: object) -> Mapping[str, object] | None:
    """A page with its known fields; one without an address is none."""
    if not isinstance(page, dict) or not isinstance(page.get("url"), str):
        return None
    return {name: page[name] for name in _FIELDS if isinstance(page.get(name), str | int)}
