"""What an upstream saw."""

from __future__ import annotations

import threading

import pytest

from modelplug.testing import Exchange, Exchanges


def test_the_first_word_on_an_end_counts() -> None:
    """A close frame is followed by the end of the stream, which says nothing new."""
    exchange = Exchange()
    exchange.ended("client", "ws:1000")
    exchange.ended("server", "fin")
    assert (exchange.closed_by, exchange.how) == ("client", "ws:1000")


def test_waiting_ends_with_what_is_waited_for() -> None:
    """And says whether it came."""
    exchange = Exchange()
    assert not exchange.wait_asked(0)
    exchange.asked(b'{"a": 1}')
    assert (exchange.wait_asked(0), exchange.wait_gone(0)) == (True, False)
    exchange.gone()
    assert exchange.wait_gone(0)


def test_the_question_is_read_from_json() -> None:
    """The last one; and nothing is made up where there is none."""
    exchange = Exchange()
    with pytest.raises(ValueError, match="Expecting value"):
        _ = exchange.question
    exchange.asked(b'{"a": 1}')
    assert exchange.question == {"a": 1}


def test_it_shows_no_credential() -> None:
    """Neither of the target nor of the headers."""
    exchange = Exchange(target="/?key=s3cret", headers={"authorization": "s3cret"})
    assert "s3cret" not in repr(exchange)


def test_its_events_are_its_own() -> None:
    """Nobody else can set them."""
    with pytest.raises(TypeError):
        Exchange(_gone=threading.Event())  # type: ignore[call-arg]  # what is shown to be refused


def test_times_are_in_order() -> None:
    """By one clock."""
    exchange = Exchange()
    exchange.gone()
    assert exchange.closed is not None
    assert exchange.opened <= exchange.closed


def test_exchanges_are_waited_for() -> None:
    """Until there are enough; a test that waits in vain is told how many there were."""
    seen, one = Exchanges(), Exchange()
    with pytest.raises(TimeoutError, match="0 exchanges"):
        seen.wait(within=0)
    threading.Thread(target=seen.add, args=[one]).start()
    assert seen.wait() is one
    assert (list(seen), seen[:1], len(seen)) == ([one], [one], 1)
