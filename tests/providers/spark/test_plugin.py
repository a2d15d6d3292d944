"""What the core learns of the backend without loading it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import modelplug_spark
from modelplug import Backend
from modelplug_spark.models import MODELS
from modelplug_spark.options import SparkOptions
from modelplug_spark.plugin import modelplug_backend


@pytest.fixture
def backend() -> Backend:
    """The plugin's answer to its own name."""
    found = modelplug_backend("spark")
    assert found is not None
    return found


def test_another_backend_is_none_of_its_business() -> None:
    """It answers to one name."""
    assert modelplug_backend("echo") is None


def test_it_serves_the_whole_table(backend: Backend) -> None:
    """Every model, under contract 1, with its own options."""
    assert [model.name for model in MODELS] == [model.model for model in backend.models]
    assert (1, SparkOptions) == (backend.contract, backend.options)


def test_a_client_needs_all_three_credentials(backend: Backend) -> None:
    """And each has the variable that iFlytek's own SDK reads, or one of its kind."""
    expected = {
        "proxy_api_app_id": "XUNFEI_SPARK_APPID",
        "proxy_api_key": "XUNFEI_SPARK_API_KEY",
        "proxy_api_secret": "XUNFEI_SPARK_API_SECRET",
        "proxy_api_version": "XUNFEI_SPARK_API_VERSION",
        "proxy_api_base": "XUNFEI_SPARK_API_BASE",
    }
    assert expected == dict(backend.environment)
    assert set(backend.required) == {"proxy_api_app_id", "proxy_api_key", "proxy_api_secret"}


@pytest.mark.parametrize("field", ["client", "emulator"])
def test_what_it_names_is_there(backend: Backend, field: str) -> None:
    """Each string leads to a class."""
    module, _, attribute = getattr(backend, field).partition(":")
    assert isinstance(getattr(import_module(module), attribute), type)


def test_it_is_light() -> None:
    """Reading the plugin loads no client, no WebSocket, no decoder."""
    heavy = ("websockets", "msgspec", "modelplug_spark.client", "modelplug_spark.emulator")
    code = f"import sys, modelplug_spark.plugin; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_gives_its_client() -> None:
    """On first use, and nothing else."""
    assert modelplug_spark.SparkLLMClient.__name__ == "SparkLLMClient"
    with pytest.raises(AttributeError, match="SparkClient"):
        _ = modelplug_spark.SparkClient
