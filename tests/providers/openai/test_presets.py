"""The table of backends: what every row keeps to, and how a name leads to one."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest

from modelplug.capabilities import CAPABILITY_NAMES
from modelplug.configstring import ConfigString
from modelplug.transport import Endpoint
from modelplug_openai import preset as vocabulary
from modelplug_openai.codes import refused
from modelplug_openai.kinds import KINDS, Kind
from modelplug_openai.meanings import MEANINGS
from modelplug_openai.preset import Preset
from modelplug_openai.presets import OPENAI, PRESETS, find
from modelplug_openai.reasons import FAILURES, REASONS
from modelplug_openai.table.china import CHINA
from modelplug_openai.table.hosts import HOSTS
from modelplug_openai.table.local import LOCAL
from modelplug_openai.table.makers import MAKERS

FOLDER = Path(__file__).resolve().parents[3] / "providers" / "openai"

EVERY = pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)

QUIRKS = {
    "ending": vocabulary.Ending,
    "key_header": vocabulary.KeyHeader,
    "limit_field": vocabulary.LimitField,
    "reasoning": vocabulary.Reasoning,
    "usage": vocabulary.UsageAsked,
}
"""Fields of a row that have one of a few words."""

NOTHING = {"reasoning": (None,)}

NOBODY_S = {"never"}
"""Words that no row has: they are for a server of one's own, by the options."""

SEALED = {
    *("max_completion_tokens", "max_tokens", "messages", "model", "stream", "stream_options"),
}
"""Fields of the body that the client alone fills in."""


def spelled(row: Preset) -> Mapping[str, object]:
    """What a row says, without what it is called and what it is for."""
    told = {each.name: getattr(row, each.name) for each in fields(row)}
    return {name: value for name, value in told.items() if name not in ("name", "summary")}


class TestEveryRow:
    """Each backend of the table."""

    @EVERY
    def test_its_address_can_be_sent_a_key(self, row: Preset) -> None:
        """It is encrypted, or is this machine, and a path can be put behind it."""
        if row.base is None:
            return
        endpoint = Endpoint.parse(row.base, schemes=("https", "http"))
        assert endpoint.is_loopback == (endpoint.scheme == "http") == (not row.needs_key)
        assert not row.base.endswith("/")
        Endpoint.parse(row.base + row.path.replace("{model}", "m"), schemes=("https", "http"))

    @EVERY
    def test_its_source_is_a_public_document(self, row: Preset) -> None:
        """Whoever doubts a fact can read it up."""
        parts = urlsplit(row.source)
        assert (parts.scheme, "." in (parts.hostname or "")) == ("https", True)

    @EVERY
    def test_its_source_is_explained(self, row: Preset) -> None:
        """SOURCES.md has a paragraph of it, with its document."""
        told = (FOLDER / "SOURCES.md").read_text(encoding="utf-8")
        paragraph = re.search(rf"^### {re.escape(row.name)}\n(.*?)(?=^##|\Z)", told, re.M | re.S)
        assert paragraph is not None
        assert row.source.removeprefix("https://") in paragraph[1].replace("https://", "")

    @EVERY
    def test_its_words_are_known(self, row: Preset) -> None:
        """Each quirk has one of the values that the client knows."""
        for name, known in QUIRKS.items():
            assert getattr(row, name) in {*get_args(known), *NOTHING.get(name, ())}

    @EVERY
    def test_its_capabilities_are_the_core_s(self, row: Preset) -> None:
        """What is refused, and what has another name, is spelled as requests spell it."""
        assert row.unsupported <= CAPABILITY_NAMES
        assert row.fields.keys() <= CAPABILITY_NAMES - {"max_new_tokens", "reasoning"}
        assert not row.unsupported & row.fields.keys()
        assert {*row.capabilities.native, *row.capabilities.unsupported} == CAPABILITY_NAMES

    @EVERY
    def test_its_own_fields_are_in_nobody_s_way(self, row: Preset) -> None:
        """What every question has says nothing that a request says, and no two say the same."""
        sent = [*row.body, *row.fields.values()]
        assert (max(Counter(sent).values(), default=1), set()) == (1, SEALED & {*sent})
        assert not row.body.keys() & CAPABILITY_NAMES

    @EVERY
    def test_its_failures_are_raised(self, row: Preset) -> None:
        """Each by its word alone, wherever in an error the word stands, beside an odd status."""
        for word, kind in row.failures.items():
            for place in ("code", "type", "status"):
                body = json.dumps({"error": {place: word, "message": "no"}}).encode()
                error = refused(418, body, failures=row.failures, headers={}, scrub=str)
                assert KINDS[kind].error is type(error), (word, place)

    @EVERY
    def test_its_names_are_config_strings(self, row: Preset) -> None:
        """So are its models, behind the first colon."""
        for name in row.names:
            assert [name] == [each.backend for each in ConfigString.parse(name).targets]
            for model, _ in row.models:
                (target,) = ConfigString.parse(f"{name}:{model}").targets
                assert (name, model) == (target.backend, target.model)

    @EVERY
    def test_its_models_are_told_once(self, row: Preset) -> None:
        """With a context of some thousand tokens, where it is known."""
        names = [name for name, _ in row.models]
        assert sorted(set(names)) == sorted(names)
        assert all(tokens is None or 4_096 <= tokens <= 10_000_000 for _, tokens in row.models)
        assert names == [each.model for each in row.metadata]
        assert all(row.capabilities == each.capabilities for each in row.metadata)

    @EVERY
    def test_its_variables_are_variables(self, row: Preset) -> None:
        """In capitals, no two the same, and a key where one is needed."""
        told = [row.key, row.base_variable, row.version_variable]
        names = [name for name in told if name is not None]
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", name) for name in names)
        assert len({*names}) == len(names)
        assert (row.key is not None) == row.needs_key

    @EVERY
    def test_its_paths_follow_a_base(self, row: Preset) -> None:
        """They begin with a slash; a model has at most one place in them."""
        assert row.path.startswith("/")
        assert row.path.count("{") == row.path.count("{model}") <= 1
        assert row.models_path is None or re.fullmatch(r"(/[a-z]+)+", row.models_path)

    @EVERY
    def test_its_summary_fits_a_line(self, row: Preset) -> None:
        """A listing has one line for it."""
        assert 0 < len(row.summary) <= 72
        assert not row.summary.endswith(".")

    @EVERY
    def test_it_says_only_what_differs(self, row: Preset) -> None:
        """A fact has one place: what words mean to all isn't said again, nor a name of OpenAI's."""
        assert not row.failures.keys() & (FAILURES.keys() | REASONS.keys())
        assert not [word for word, kind in row.failures.items() if MEANINGS.get(word) == kind]
        assert all(word.isdecimal() or word in MEANINGS for word in row.failures)
        standard = OPENAI.capabilities.native
        assert all(name != field for name, field in row.fields.items() if name in standard)


class TestTheTable:
    """All rows together."""

    def test_a_name_is_one_backend_s(self) -> None:
        """Aliases too."""
        names = Counter(name for row in PRESETS for name in row.names)
        assert sorted(set(names.values())) == [1]

    def test_no_two_rows_are_the_same(self) -> None:
        """Two names of one service are one row."""
        assert len(PRESETS) == len({repr(sorted(spelled(row).items())) for row in PRESETS})
        bases = [row.base for row in PRESETS if row.needs_key and row.base]
        assert len(bases) == len({*bases})

    def test_rows_stand_by_name(self) -> None:
        """In their part of the table, so that one is found; OpenAI is the first of all."""
        assert OPENAI is PRESETS[0]
        parts = [[*part] for part in _parts()]
        assert all(sorted(part) == part for part in parts)

    def test_every_way_is_gone_by_somebody(self) -> None:
        """A word that no row has would be a branch of the client for nobody."""
        used = {getattr(row, name) for row in PRESETS for name in QUIRKS}
        assert {word for known in QUIRKS.values() for word in get_args(known)} - used == NOBODY_S

    def test_entry_points_are_the_table(self) -> None:
        """Every name is installed, as the same plugin, and no other."""
        project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        told = project["entry-points"]["modelplug.backends"]
        names = sorted(name for row in PRESETS for name in row.names)
        assert dict.fromkeys(names, "modelplug_openai.plugin") == told
        assert names == list(told)

    def test_sources_tell_of_no_other(self) -> None:
        """A row that has gone takes its paragraph with it."""
        told = (FOLDER / "SOURCES.md").read_text(encoding="utf-8")
        assert {row.name for row in PRESETS} == {*re.findall(r"^### (.+)$", told, re.M)}


class TestFinding:
    """From a name to its row."""

    @EVERY
    def test_all_names_lead_there(self, row: Preset) -> None:
        """Its own, and its aliases."""
        assert all(find(name) is row for name in row.names)

    @pytest.mark.parametrize("name", ["", "OpenAI", "openai ", "chatgpt_proxyllm", "echo"])
    def test_another_name_leads_nowhere(self, name: str) -> None:
        """Names are as they are written."""
        assert find(name) is None

    @pytest.mark.parametrize(
        ("old", "name"),
        [
            *(("chatgpt", "openai"), ("tongyi", "qwen"), ("wenxin", "qianfan")),
            *((name, name) for name in ("zhipu", "moonshot", "deepseek", "yi", "baichuan")),
            *((name, name) for name in ("gemini", "ollama")),
        ],
    )
    def test_dbgpt_s_names_are_known(self, old: str, name: str) -> None:
        """Whoever comes from there finds what they had."""
        row = find(old)
        assert row is not None
        assert name == row.name


class TestARow:
    """What a ``Preset`` makes of what it is given."""

    def test_it_differs_from_openai_in_nothing(self) -> None:
        """Unless it says so."""
        row = Preset(name="a", summary="b", source="c", base=OPENAI.base, key=OPENAI.key)
        taken = {"name", "summary", "source", "base", "key", "base_variable", "aliases", "models"}
        ours, theirs = spelled(row), spelled(OPENAI)
        assert {name for name in ours if ours[name] != theirs[name]} <= taken

    def test_it_stays_as_it_is(self) -> None:
        """Its tables, too, and whoever gave them may go on with theirs."""
        failures: dict[str, Kind] = {"busy": "overloaded"}
        row = replace(OPENAI, failures=failures)
        failures.clear()
        assert dict(row.failures) == {"busy": "overloaded"}
        with pytest.raises(TypeError):
            row.failures["busy"] = "server"  # type: ignore[index]
        with pytest.raises(FrozenInstanceError):
            row.base = ""  # type: ignore[misc]

    def test_it_computes_once(self) -> None:
        """What each request asks it."""
        assert OPENAI.capabilities is OPENAI.capabilities
        assert OPENAI.metadata is OPENAI.metadata

    def test_it_is_a_key(self) -> None:
        """Of a cache, say."""
        assert {OPENAI: 1}[replace(OPENAI)] == 1

    @pytest.mark.parametrize(
        ("change", "name", "claimed"),
        [
            ({}, "temperature", True),
            ({}, "top_k", False),
            ({"fields": {"top_k": "top_k"}}, "top_k", True),
            ({"unsupported": {"seed"}}, "seed", False),
            ({}, "reasoning", True),
            ({"reasoning": None}, "reasoning", False),
            ({}, "usage", True),
            ({"usage": "never"}, "usage", False),
        ],
    )
    def test_what_it_can_do(self, change: dict[str, object], name: str, *, claimed: bool) -> None:
        """OpenAI's capabilities, with what its service has besides and without what it hasn't."""
        told = replace(OPENAI, **change).capabilities  # type: ignore[arg-type]
        assert (claimed, not claimed) == (name in told.native, name in told.unsupported)

    def test_a_context_that_nobody_told_is_the_core_s_guess(self) -> None:
        """Rather than one of ours."""
        known, unknown = replace(OPENAI, models=(("a", 8_192), ("b", None))).metadata
        assert (known.context_length, unknown.context_length) == (8_192, 4_096)


def _parts() -> list[list[str]]:
    """The rows' names, by the modules that they stand in; OpenAI's goes before the others."""
    rows = (MAKERS[1:], HOSTS, CHINA, LOCAL)
    return [[row.name for row in part] for part in rows]
