"""How much the model is to think first: the contract's ``reasoning`` in a service's spelling.

The contract has a word (``low``, ``high``, ``none``) or a mapping. Of a mapping, ``effort`` is
that word, ``type`` is the word of services that know on and off, and ``max_tokens`` or
``budget_tokens`` how many tokens it may think, where there is a field for that. To a service that
knows on and off alone, a degree isn't sent as something else: it is refused, or left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelplug import Call, ModelRequest
from modelplug_openai.plainjson import misshapen, plain
from modelplug_openai.preset import Preset

__all__ = ["reasoning_of"]

_OFF = ("none", "disabled")
_BUDGETS = ("max_tokens", "budget_tokens", "thinking_budget")
_DEGREES = ("effort", "thinking_effort")
"""Spellings that have a place for a degree."""


def reasoning_of(request: ModelRequest, preset: Preset, call: Call) -> dict[str, object]:
    """The fields of the body that say it; none where nothing is asked.

    Raises:
        UnsupportedOptionError: the service has no field for it, or not for all of it.
        BadRequestError: it is no word and no mapping that can be sent.
    """
    asked = request.reasoning
    if not asked:
        return {}
    if preset.reasoning is None:
        told = f"{preset.name} can't be told whether to think"
        call.leave_out(request, told, hint="leave reasoning out")
        return {}
    if preset.reasoning == "object":
        # https://openrouter.ai/docs/use-cases/reasoning-tokens
        given = {"effort": asked} if isinstance(asked, str) else asked
        return {"reasoning": plain(given, "reasoning")}
    effort, switch = _word(asked, "effort"), _word(asked, "type")
    budget = _budget(asked)
    known = {"effort", "type", *_BUDGETS}
    if isinstance(asked, Mapping) and (odd := sorted(set(map(str, asked)) - known)):
        call.leave_out(
            request,
            f"{preset.name} knows no {', '.join(odd)} of reasoning",
            hint="say effort, type or max_tokens",
        )
    if effort and effort not in _OFF and preset.reasoning not in _DEGREES:
        call.leave_out(
            request,
            f"{preset.name} knows no degrees of reasoning, such as {effort!r}",
            hint='say {"type": "enabled"}',
        )
        effort = None
    if budget is not None and preset.reasoning != "enable_thinking":
        told = f"{preset.name} has no limit for thinking alone"
        call.leave_out(request, told, hint="leave it out of reasoning")
        budget = None
    return _spelt(preset, effort=effort, switch=switch, budget=budget)


def _spelt(
    preset: Preset, *, effort: str | None, switch: str | None, budget: int | None
) -> dict[str, object]:
    is_off = effort in _OFF or switch in _OFF
    match preset.reasoning:
        case "effort":
            word = effort or ("none" if is_off else None)
            return {"reasoning_effort": word} if word else {}
        case "enable_thinking":
            # https://help.aliyun.com/zh/model-studio/deep-thinking, and SiliconFlow's reference
            limit = {} if budget is None else {"thinking_budget": budget}
            return {"enable_thinking": not is_off, **limit}
        case "template":
            return {"chat_template_kwargs": {"enable_thinking": not is_off}}
    thinking = {"type": switch or ("disabled" if is_off else "enabled")}
    if preset.reasoning == "thinking_effort" and effort and not is_off:
        return {"thinking": thinking, "reasoning_effort": effort}
    return {"thinking": thinking}


def _word(asked: str | Mapping[str, object], name: str) -> str | None:
    if isinstance(asked, str):
        return asked if name == "effort" else None
    word = asked.get(name)
    if word is not None and not isinstance(word, str):
        raise misshapen(f"reasoning.{name}", "is no text")
    return word or None


def _budget(asked: str | Mapping[str, object]) -> int | None:
    if isinstance(asked, str):
        return None
    given = next((asked[name] for name in _BUDGETS if asked.get(name) is not None), None)
    if given is not None and (type(given) is not int or given < 0):
        raise misshapen("reasoning", "has a limit that is no number of tokens")
    return given
