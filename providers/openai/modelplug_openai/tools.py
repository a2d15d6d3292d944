"""Tools of a request, as OpenAI's chat completions have them, and the choice among them.

https://platform.openai.com/docs/api-reference/chat/create. A function may be given in its wrapper
or bare, as ``{"name", "description", "parameters"}``; its schema goes out as it is. A tool of
another type is a service's own (a web search, say), and is the service's to understand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelplug import BadRequestError
from modelplug_openai.plainjson import misshapen, plain

__all__ = ["choice_of", "tools_of"]

_HINT = '{"type": "function", "function": {"name": ..., "description": ..., "parameters": {...}}}'

_CHOICES = ("auto", "none", "required", "any")
"""Words for a choice; ``any`` is Mistral's for ``required`` (https://docs.mistral.ai/api)."""


def tools_of(tools: object) -> list[object]:
    """The tools as they go out.

    Raises:
        BadRequestError: a tool isn't of the shape; it says which and where.
    """
    if isinstance(tools, str) or not isinstance(tools, Sequence):
        raise _misshapen("tools", "is no list")
    sent = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    names = _names(sent)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _misshapen("tools", f"has two functions called {twice!r}")
    return sent


def choice_of(choice: object, tools: Sequence[object]) -> object:
    """Which tool is to be called: a word, or one of the tools, also by its mere name.

    Raises:
        BadRequestError: it is neither.
    """
    if isinstance(choice, str):
        if choice in _CHOICES:
            return choice
        if choice in _names(tools):
            return {"type": "function", "function": {"name": choice}}
        raise misshapen("tool_choice", f"is {choice!r}, which is none of {', '.join(_CHOICES)}")
    if not isinstance(choice, Mapping):
        raise misshapen("tool_choice", "is neither a word nor a mapping")
    if "type" not in choice and isinstance(choice.get("name"), str):
        choice = {"type": "function", "function": choice}
    return plain(choice, "tool_choice")


def _tool(tool: object, where: str) -> object:
    if not isinstance(tool, Mapping):
        raise _misshapen(where, "is no mapping")
    if "type" not in tool:
        tool = {"type": "function", "function": tool.get("function", tool)}
    kind = tool["type"]
    if not isinstance(kind, str) or not kind:
        raise _misshapen(f"{where}.type", "is no text, or empty")
    if kind == "function":
        function = tool.get("function")
        if not isinstance(function, Mapping):
            raise _misshapen(f"{where}.function", "is no mapping")
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise _misshapen(f"{where}.function.name", "is no text, or empty")
    return plain(tool, where)


def _names(tools: Sequence[object]) -> list[str]:
    """The names of the functions among some tools."""
    functions = (tool.get("function") for tool in tools if isinstance(tool, Mapping))
    return [str(each["name"]) for each in functions if isinstance(each, Mapping) and "name" in each]


def _misshapen(where: str, how: str) -> BadRequestError:
    return misshapen(where, how, hint=f"a tool is {_HINT}")
