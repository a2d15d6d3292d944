"""What the core learns of the backends without loading their client."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import modelplug_openai
from modelplug.configuration import Configuration, configured
from modelplug.conformance.subject import Subject
from modelplug.registry import registry
from modelplug.settings import RESERVED_OPTIONS
from modelplug_openai.harness import HARNESSES
from modelplug_openai.options import OpenAIOptions
from modelplug_openai.plugin import modelplug_backend
from modelplug_openai.preset import Preset
from modelplug_openai.presets import PRESETS

NAMES = [(name, row) for row in PRESETS for name in row.names]

EVERY_NAME = pytest.mark.parametrize(("name", "row"), NAMES, ids=[name for name, _ in NAMES])


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, and no address, of whoever runs the tests."""
    for row in PRESETS:
        for variable in (row.key, row.base_variable, row.version_variable):
            if variable is not None:
                monkeypatch.delenv(variable, raising=False)


def told(config: str, **overrides: object) -> Configuration:
    """What a config string comes to."""
    return configured(config, overrides)


def lines(code: str) -> list[str]:
    """What a process of its own prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


class TestTheHook:
    """``modelplug_backend``, as the registry asks it."""

    @pytest.mark.parametrize("name", ["echo", "spark", "", "OPENAI", "chatgpt_proxyllm"])
    def test_another_backend_is_none_of_its_business(self, name: str) -> None:
        """It answers to the names of its table."""
        assert modelplug_backend(name) is None

    @EVERY_NAME
    def test_a_row_is_a_backend(self, name: str, row: Preset) -> None:
        """The registry takes it, under the name by which it was asked for."""
        backend = registry().load(name, "modelplug-openai")
        assert (name, row.summary, 1) == (backend.name, backend.summary, backend.contract)
        assert (row.source, OpenAIOptions) == (backend.home_page, backend.options)
        assert [model for model, _ in row.models] == [each.model for each in backend.models]
        assert row.capabilities == backend.capabilities

    @pytest.mark.parametrize(
        ("name", "variables", "required"),
        [
            (
                "openai",
                {"proxy_api_key": "OPENAI_API_KEY", "proxy_api_base": "OPENAI_BASE_URL"},
                {"proxy_api_key"},
            ),
            (
                "azure",
                {
                    "proxy_api_key": "AZURE_OPENAI_API_KEY",
                    "proxy_api_base": "AZURE_OPENAI_ENDPOINT",
                    "proxy_api_version": "OPENAI_API_VERSION",
                },
                {"proxy_api_key", "proxy_api_base"},
            ),
            ("deepseek", {"proxy_api_key": "DEEPSEEK_API_KEY"}, {"proxy_api_key"}),
            ("ollama", {}, set()),
        ],
    )
    def test_its_variables_are_the_vendor_s(
        self, name: str, variables: dict[str, str], required: set[str]
    ) -> None:
        """A key is needed where the service needs one, an address where there is none for all."""
        backend = registry().load(name)
        assert (variables, required) == (backend.environment, {*backend.required})

    def test_all_are_one_client_s(self) -> None:
        """The emulator is OpenAI's own, whose variables it tells."""
        backends = [registry().load(name) for name, _ in NAMES]
        assert {each.client for each in backends} == {"modelplug_openai.client:OpenAILLMClient"}
        emulators = {each.name: each.emulator for each in backends if each.emulator}
        expected = "modelplug_openai.emulator:OpenAIEmulator"
        assert emulators == {"openai": expected, "chatgpt": expected}

    @EVERY_NAME
    def test_its_harness_is_the_row_s(self, name: str, row: Preset) -> None:
        """Under an alias, too; it names a model where the row has none."""
        harness = Subject.of(name).harness
        assert HARNESSES[row.name] is harness
        assert (harness.model is None) == bool(row.models)

    @pytest.mark.parametrize("field", ["client", "emulator", "harness"])
    def test_what_it_names_is_there(self, field: str) -> None:
        """Each string leads to what it says."""
        module, _, attribute = getattr(registry().load("openai"), field).partition(":")
        assert hasattr(import_module(module), attribute)

    def test_its_options_take_no_name_of_the_core_s(self) -> None:
        """Otherwise the registry would refuse the plugin."""
        assert not RESERVED_OPTIONS & OpenAIOptions.model_fields.keys()


class TestBeingLight:
    """Nobody waits for a client that isn't asked for."""

    def test_a_listing_imports_nothing_of_it(self) -> None:
        """Not in the process, and not by the command line."""
        names = [name for name, _ in NAMES]
        code = (
            "import sys; from modelplug.registry import registry;"
            "print(*[each.name for each in registry().backends()]);"
            "print(*[name for name in sys.modules if name.startswith('modelplug_')])"
        )
        seen = lines(code)
        assert {*names} <= {*seen}
        assert not [line for line in seen if line.startswith("modelplug_")]

    def test_the_command_line_s_listing_imports_nothing_of_it(self) -> None:
        """``modelplug backends`` names them all."""
        code = (
            "import sys\nfrom modelplug.cli import main\nsys.argv = ['modelplug', 'backends']\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "print(*[name for name in sys.modules if name.startswith('modelplug_')])"
        )
        seen = lines(code)
        assert {name for name, _ in NAMES} <= {*seen}
        assert not [line for line in seen if line.startswith("modelplug_")]

    def test_the_plugin_is_light(self) -> None:
        """Reading it loads no client, no parser, no decoder."""
        code = "import sys, modelplug_openai.plugin; print(*sys.modules)"
        heavy = {"msgspec", "httptools", "ssl", "modelplug_openai.client", "modelplug.transport"}
        assert not heavy & {*lines(code)}

    def test_the_package_gives_its_client(self) -> None:
        """On first use, and nothing else."""
        assert modelplug_openai.OpenAILLMClient.__name__ == "OpenAILLMClient"
        with pytest.raises(AttributeError, match="OpenAIClient"):
            _ = modelplug_openai.OpenAIClient


class TestBeingChosen:
    """From a config string to the backend, up to where a client would be made."""

    def test_only_the_first_colon_parts(self) -> None:
        """Models of Ollama have one of their own."""
        found = told("ollama:llama3:8b")
        assert (found.backend.name, found.params.model) == ("ollama", "llama3:8b")
        assert found.missing() is None

    @pytest.mark.parametrize(
        "model", ["openai/gpt-oss-120b", "accounts/fireworks/models/gpt-oss-120b", "4.0Ultra"]
    )
    def test_a_model_may_have_slashes_and_dots(self, model: str) -> None:
        """As those of hosts of others' models do."""
        assert model == told(f"openrouter:{model}").params.model

    @EVERY_NAME
    def test_its_key_comes_from_its_variable(
        self, name: str, row: Preset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without it the error names it."""
        missing = told(name, api_base="https://a.example").missing()
        if row.key is None:
            assert missing is None
            return
        assert row.key in f"{missing} {missing.hint if missing else ''}"
        monkeypatch.setenv(row.key, "a-key")
        assert told(name, api_base="https://a.example").missing() is None

    def test_a_server_by_its_address(self) -> None:
        """OpenAI's row is for any that speaks the same."""
        found = told("openai:m?api_base=http://127.0.0.1:8000/v1", api_key="k")
        assert (found.params.proxy_api_base, found.missing()) == ("http://127.0.0.1:8000/v1", None)

    def test_azure_has_no_address_for_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is needed, and read from Azure's own variable."""
        missing = told("azure:d").missing()
        assert missing is not None
        assert "AZURE_OPENAI_ENDPOINT" in str(missing.hint)
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "a-key")
        assert "api_base" in str(told("azure:d").missing())
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com/")
        monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
        found = told("azure:d")
        assert found.missing() is None
        assert found.params.proxy_api_base == "https://mine.openai.azure.com/"
        assert found.params.proxy_api_version == "2024-10-21"

    @pytest.mark.parametrize("name", ["chatgpt", "zhipu", "tongyi", "wenxin", "deepseek", "ollama"])
    def test_dbgpt_s_spelling_still_chooses(self, name: str) -> None:
        """With the core's warning that it is old."""
        with pytest.warns(DeprecationWarning, match=f"{name}_proxyllm"):
            found = configured({"model_name": f"{name}_proxyllm", "proxyllm_backend": "m"}, {})
        assert (name, "m") == (found.backend.name, found.params.model)
