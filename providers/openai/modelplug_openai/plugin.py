"""What the core learns of these backends before it needs one: imports no client, no library."""

from __future__ import annotations

from modelplug import Backend, hookimpl
from modelplug_openai.options import OpenAIOptions
from modelplug_openai.preset import Preset
from modelplug_openai.presets import OPENAI, find


@hookimpl
def modelplug_backend(name: str) -> Backend | None:
    """The backend of the table that is called ``name``, by its own name or by an alias."""
    preset = find(name)
    return None if preset is None else _backend(preset, name)


def _backend(preset: Preset, name: str) -> Backend:
    """What the row says, in the core's words."""
    variables = {
        "proxy_api_key": preset.key,
        "proxy_api_base": preset.base_variable,
        "proxy_api_version": preset.version_variable,
    }
    needed = {"proxy_api_key": preset.needs_key, "proxy_api_base": preset.base is None}
    return Backend(
        name=name,
        summary=preset.summary,
        contract=1,
        client="modelplug_openai.client:OpenAILLMClient",
        harness=f"modelplug_openai.harness:{preset.name}",
        # The variables that it tells are OpenAI's: most others have none for an address.
        emulator="modelplug_openai.emulator:OpenAIEmulator" if preset is OPENAI else None,
        options=OpenAIOptions,
        models=preset.metadata,
        capabilities=preset.capabilities,
        environment={field: variable for field, variable in variables.items() if variable},
        required=tuple(field for field, is_needed in needed.items() if is_needed),
        home_page=preset.source,
    )
