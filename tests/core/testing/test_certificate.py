"""A certificate of this machine's own."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest

from modelplug import MissingDependencyError
from modelplug.testing.certificate import local_certificate


def test_its_file_is_there_while_the_block_runs() -> None:
    """And then it is gone."""
    with local_certificate() as certificate:
        trust = ssl.create_default_context(cafile=certificate.ca_file)
        assert len(trust.get_ca_certs()) >= 1
    assert not Path(certificate.ca_file).exists()


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the shell."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(MissingDependencyError) as caught, local_certificate():
        pass
    assert caught.value.hint == "pip install 'modelplug[testing]'"
