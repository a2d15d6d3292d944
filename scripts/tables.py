"""Write the tables of the documents that are made from the code, and the code that they quote.

    tables.py           compare; exit status 1 when a table differs
    tables.py --write   write them

A document says which table it wants, and the table stands between the two marks::

    <!-- table: emulator-settings -->
    <!-- end of table -->
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields as fields_of
from pathlib import Path

from pydantic import BaseModel

from modelplug import ModelRequest, ProxyModelParameters, Timeouts, errors
from modelplug.configfile import CONFIG_VARIABLE
from modelplug.conformance.runner import all_checks
from modelplug.params import RequestDefaults
from modelplug.policies import (
    FALLBACK_ERRORS,
    Backoff,
    Breaker,
    Circuit,
    CircuitLimits,
    ConcurrencyLimit,
    Fallback,
    Retry,
    RetryBudget,
    Slots,
)
from modelplug.policies.rate import LocalGate, RateLimit
from modelplug.policies.sharedrate import SharedGate
from modelplug.registry import ALLOW_VARIABLE, OFF_VARIABLE, registry
from modelplug.schema import settings_told
from modelplug.secrets import Secret
from modelplug.settings import NO_OPTIONS
from modelplug_openai.emulation.settings import EmulatorSettings as OpenAIEmulatorSettings
from modelplug_openai.options import OpenAIOptions
from modelplug_openai.presets import PRESETS
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.options import SparkOptions

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("docs/*.md", "providers/*/README.md")
PARROT = ROOT / "examples" / "modelplug-parrot" / "modelplug_parrot" / "harness.py"
COMMAND = "make tables"

NOT_SPELLED = NO_OPTIONS
"""Params that a config string can't say as an option."""

SHORT = {"proxyllm_backend": "backend"}
"""Short names that aren't the full one without its ``proxy_``."""

VARIABLES = {
    "MODELPLUG_BACKEND": "the command line's config string where `-b` gives none",
    CONFIG_VARIABLE: "the file with profiles, instead of looking for one; `none` is no file",
    ALLOW_VARIABLE: "names of backends, with commas: no other is seen, let alone imported",
    OFF_VARIABLE: "set to anything: no plugin at all is seen",
    "MODELPLUG_CHAT_HISTORY": "the file in which `chat` keeps what was typed; `none` is no file",
}
"""Those of modelplug itself."""

POLICY_OPTIONS = (
    "retries",
    "breaker",
    "concurrency",
    "requests_per_minute",
    "tokens_per_minute",
    "burst",
    "redis_url",
)
"""Params that are about policies."""

POLICIES = (
    *(Retry, Backoff, RetryBudget, Fallback, Breaker, Circuit, CircuitLimits),
    *(ConcurrencyLimit, Slots, RateLimit, LocalGate, SharedGate),
)
"""Policies, and what they are made with."""

_MARKED = re.compile(r"(<!-- table: ([a-z-]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = [*header]
    cells = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(head), *cells])


def attributes(owner: type, heading: str = "Attributes") -> Mapping[str, str]:
    """What a class's docstring says of its attributes; one entry may be for several names."""
    told: dict[str, str] = {}
    section = (owner.__doc__ or "").partition(f"{heading}:")[2].partition("\n\n")[0]
    for entry in re.split(r"\n(?=        \S)", section):
        for part in re.split(r"; (?=\w+: )", " ".join(entry.split())):
            names, mark, text = part.partition(": ")
            if mark:
                text = text.rstrip(".").replace("``", "`")
                told.update(dict.fromkeys(names.split(", "), text))
    return told


def params() -> str:
    """What makes a client: the keyword, its short name for config strings, what it does."""
    told = attributes(ProxyModelParameters)
    rows = []
    for name in ProxyModelParameters.model_fields:
        short = f"`{SHORT.get(name, name.removeprefix('proxy_'))}`"
        short += ", in profiles" if name in NOT_SPELLED else ""
        rows.append([f"`{name}`", short, told[name]])
    return table(["params field", "in config strings and profiles", "what it is"], rows)


def defaults() -> str:
    """What a request that sets nothing gets."""
    told = attributes(ModelRequest)
    rows = [[f"`{name}`", told[name]] for name in RequestDefaults.model_fields]
    return table(["name", "what it is"], rows)


def clocks() -> str:
    """The clocks, with the seconds that they allow unless somebody says otherwise."""
    told = attributes(Timeouts)
    rows = [[f"`{each.name}`", str(each.default), told[each.name]] for each in fields_of(Timeouts)]
    return table(["clock", "seconds", "what it limits"], rows)


def classes_of_errors() -> str:
    """Every class of errors: what it is, and whether it may be worth another try."""
    classes = [getattr(errors, name) for name in errors.__all__]
    rows = []
    for each in sorted(classes, key=lambda each: each.code):
        parent = "" if each is errors.ProxyLLMError else f"`{each.__base__.__name__}`"
        when = _first_sentence(each)
        rows.append(
            [f"`{each.__name__}`", str(each.code), parent, "yes" if each.retryable else "", when]
        )
    return table(["class", "code", "kind of", "retryable", "when"], rows)


def _first_sentence(owner: type) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((owner.__doc__ or "").partition("\n\n")[0].split()).replace("``", "`")


def policy_options() -> str:
    """The params that ask for policies."""
    told, fields = attributes(ProxyModelParameters), ProxyModelParameters.model_fields
    rows = [
        [f"`{name}`", _default(fields[name].get_default(call_default_factory=True)), told[name]]
        for name in POLICY_OPTIONS
    ]
    return table(["option", "default", "what it does"], rows)


def policies() -> str:
    """What each policy is made with, in Python."""
    rows = []
    for each in POLICIES:
        kinds = (kind for kind in reversed(each.__mro__) if kind.__doc__)
        told = {
            name: what
            for kind in kinds
            for heading in ("Attributes", "Args")
            for name, what in attributes(kind, heading).items()
        }
        for name, parameter in inspect.signature(each).parameters.items():
            default = _default(parameter.default)
            rows.append([f"`{each.__name__}`", f"`{name}`", default, told[name]])
    return table(["class", "argument", "default", "what it is"], rows)


def _default(value: object) -> str:
    """A default as a table shows it; empty where there is none, or nothing to show."""
    if value is inspect.Parameter.empty or value is None or value == Secret():
        return ""
    if value is FALLBACK_ERRORS:
        return "`FALLBACK_ERRORS`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if callable(value):
        return f"`{getattr(value, '__name__', value)}()`"
    return f"`{value!r}`"


def options(model: type[BaseModel]) -> str:
    """The options of a backend."""
    told = attributes(model)
    rows = [[f"`{name}`", told[name]] for name in model.model_fields]
    return table(["option", "what it does"], rows)


def variables() -> str:
    """The environment variables of modelplug itself, and of our backends."""
    read: dict[tuple[str, str], list[str]] = {}
    for plugin in registry().backends():
        backend = registry().load(plugin.name, plugin.dist)
        for field, variable in backend.environment.items():
            read.setdefault((variable, field), []).append(f"`{plugin.name}`")
    rows = [[f"`{name}`", what] for name, what in VARIABLES.items()]
    rows += [
        [f"`{variable}`", f"`{field}` of {' and of '.join(names)}"]
        for (variable, field), names in read.items()
    ]
    return table(["variable", "what it sets"], rows)


def openai_backends() -> str:
    """The backends of one client: where each is, and whose key it takes."""
    rows = []
    for each in PRESETS:
        names = " ".join(f"`{name}`" for name in each.names)
        base = f"`{each.base}`" if each.base else "your own, by `api_base`"
        key = f"`{each.key}`" if each.key else "none needed"
        model = f"`{each.models[0][0]}`" if each.models else "must be named"
        rows.append([names, f"[{each.summary}]({each.source})", base, key, model])
    return table(["backend", "what it is", "address", "variable of the key", "default model"], rows)


def settings(model: type[BaseModel]) -> str:
    """The fields of a settings model."""
    rows = [
        [f"`{each.name}`", each.values, f"`{each.default}`", each.meaning]
        for each in settings_told(model)
    ]
    return table(["setting", "values", "default", "what it does"], rows)


def checks() -> str:
    """The conformance kit's checks."""
    rows = [
        [each.id, each.title, "MUST" if each.must else "SHOULD", each.profile, each.rule]
        for each in all_checks()
    ]
    return table(["id", "check", "", "level", "rule"], rows)


def parrot(part: int) -> str:
    """The example's codec, part 0, or its harness, part 1."""
    codec, mark, harness = PARROT.read_text(encoding="utf-8").partition("def params(")
    return f"```python\n{(codec, mark + harness)[part].strip()}\n```\n"


TABLES: Mapping[str, Callable[[], str]] = {
    "checks": checks,
    "emulator-settings": lambda: settings(EmulatorSettings),
    "environment": variables,
    "errors": classes_of_errors,
    "openai-backends": openai_backends,
    "openai-emulator-settings": lambda: settings(OpenAIEmulatorSettings),
    "openai-options": lambda: options(OpenAIOptions),
    "params": params,
    "parrot-codec": lambda: parrot(0),
    "parrot-harness": lambda: parrot(1),
    "policies": policies,
    "policy-options": policy_options,
    "request-defaults": defaults,
    "spark-options": lambda: options(SparkOptions),
    "timeouts": clocks,
}
"""What there is, by name."""


def renewed(text: str) -> str:
    """A document with its tables as they should be.

    Raises:
        KeyError: it wants a table that there isn't.
    """
    return _MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[4]}", text)


def main(arguments: Iterable[str]) -> int:
    """Compare or write; the exit status."""
    write = "--write" in arguments
    status = 0
    for path in sorted(path for pattern in PAGES for path in ROOT.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        wanted = renewed(text)
        if wanted == text:
            continue
        if write:
            path.write_text(wanted, encoding="utf-8")
        else:
            status = 1
        print(f"{path.relative_to(ROOT)}: {'written' if write else f'out of step; run {COMMAND}'}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
