"""Endpoints: which addresses are taken, which are refused, and that there is one reading."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPSConnection
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import Request

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url
from websockets.uri import parse_uri

from modelplug.errors import UnsafeEndpointError
from modelplug.transport import Endpoint
from tests.core.transport.peers import everything_told

CANARY = "Zq7CanaryX9"

GOOD: dict[str, tuple[str, str, int, str]] = {
    "wss://spark-api.xf-yun.com/v3.5/chat": ("wss", "spark-api.xf-yun.com", 443, "/v3.5/chat"),
    "WSS://Spark-API.XF-yun.com": ("wss", "spark-api.xf-yun.com", 443, "/"),
    "wss://a:443/": ("wss", "a", 443, "/"),
    "wss://a:00443/": ("wss", "a", 443, "/"),
    "wss://a:8443/": ("wss", "a", 8443, "/"),
    "wss://a_b.c-d.e1/": ("wss", "a_b.c-d.e1", 443, "/"),
    "wss://xn--80ak6aa92e.com/": ("wss", "xn--80ak6aa92e.com", 443, "/"),
    "wss://10.0.0.1/": ("wss", "10.0.0.1", 443, "/"),
    "wss://[2001:DB8::0:1]:9/": ("wss", "2001:db8::1", 9, "/"),
    "ws://localhost/": ("ws", "localhost", 80, "/"),
    "ws://127.8.9.10:1/": ("ws", "127.8.9.10", 1, "/"),
    "ws://[::1]:65535/": ("ws", "::1", 65535, "/"),
    "wss://a/b/../c//d;e=f@g:h,%C3%A9": ("wss", "a", 443, "/b/../c//d;e=f@g:h,%C3%A9"),
}

BAD = [
    "",
    "a",
    "//a/",
    "wss:a",
    "wss:/a",
    "wss:///chat",
    "wss://",
    "wss://:443/",
    "wss://a:/",
    "wss://a:0/",
    "wss://a:65536/",
    "wss://a:123456/",
    "wss://a:-1/",
    "wss://a:44a/",
    "wss://a:443:443/",
    "http://a/",
    "https://a/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "wss+x://a/",
    "wss://user@a/",
    "wss://user:password@a/",
    "wss://@a/",
    "wss://good.com@evil.com/",
    "wss://good.com:443@evil.com/",
    "wss://a/?",
    "wss://a/?x=1",
    "wss://a?x=1",
    "wss://a/#",
    "wss://a#x",
    "wss://evil.com\\.good.com/",
    "wss://evil.com\\@good.com/",
    "wss:\\\\a/",
    "wss://a/\\b",
    " wss://a/",
    "wss://a/ ",
    "wss://a /",
    "wss://a\t/",
    "wss://a\r\nX: y/",
    "wss://a/\n",
    "wss://a/\x00",
    "wss://a/\x7f",
    "wss://\u0440\u0430ypal.com/",
    "wss://münchen.de/",
    "wss://a。b/",
    "wss://\uff1127.0.0.1/",
    "wss://a/é",
    "wss://.a/",
    "wss://a./",
    "wss://a..b/",
    "wss://-a/",
    "wss://a-/",
    "wss://a%2eb/",
    "wss://a,b/",
    "wss://a*b/",
    f"wss://{'a' * 64}/",
    f"wss://{'a.' * 127}a/",
    "wss://127.1/",
    "wss://2130706433/",
    "wss://0x7f.0.0.1/",
    "wss://0x7f000001/",
    "wss://0177.0.0.1/",
    "wss://127.0.0.01/",
    "wss://256.0.0.1/",
    "wss://1.2.3.4.5/",
    "wss://a.1/",
    "wss://::1/",
    "wss://[::1/",
    "wss://[]/",
    "wss://[::1]x/",
    "wss://x[::1]/",
    "wss://[127.0.0.1]/",
    "wss://[fe80::1%25eth0]/",
    "wss://[::1]]/",
    "wss://a/%",
    "wss://a/%g0",
    'wss://a/"',
    "wss://a/<b>",
    "wss://a/{b}",
    "wss://a/|",
    "wss://a/^`",
]

PLAIN = [
    "ws://a/",
    "ws://10.0.0.1/",
    "ws://0.0.0.0/",
    "ws://128.0.0.1/",
    "ws://127.evil.com/",
    "ws://127.0.0.1.evil.com/",
    "ws://localhost.evil.com/",
    "ws://[::]/",
    "ws://[::ffff:127.0.0.1]/",
    "ws://[::2]/",
]

labels = st.from_regex(r"[a-z]([a-z0-9_-]{0,8}[a-z0-9])?", fullmatch=True)
hosts = st.one_of(
    st.lists(labels, min_size=1, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str).filter(lambda host: "%" not in host),
)
paths = st.from_regex(r"(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2}){0,8}){1,4}", fullmatch=True)
endpoints = st.builds(
    Endpoint,
    scheme=st.sampled_from(["wss", "ws", "https", "http"]),
    host=hosts,
    port=st.integers(1, 65535),
    path=paths,
)
every_scheme = ("wss", "ws", "https", "http")


@pytest.mark.parametrize("url", GOOD)
def test_an_address_is_read(url: str) -> None:
    """Scheme and host come in lower case, port and path with their defaults."""
    endpoint = Endpoint.parse(url)
    assert GOOD[url] == (endpoint.scheme, endpoint.host, endpoint.port, endpoint.path)


@pytest.mark.parametrize("url", GOOD)
def test_others_read_the_same(url: str) -> None:
    """What connects is what anybody else would read in the URL."""
    endpoint, theirs, library = Endpoint.parse(url), urlsplit(url), parse_uri(url)
    assert (endpoint.scheme, endpoint.path) == (theirs.scheme, theirs.path or "/")
    assert urlsplit(str(endpoint)).hostname == endpoint.host
    assert (endpoint.port, endpoint.secure) == (library.port, library.secure)


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Whatever has a second reading, or is no address, connects to nothing."""
    with pytest.raises(UnsafeEndpointError):
        Endpoint.parse(url, allow_insecure=True)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://a/", "wss:// or ws://"),
        ("wss://user@a/", "a user or password"),
        ("wss://a/?x", "a query or fragment"),
        ("wss://a/#x", "a query or fragment"),
        ("wss://a\\b/", "a backslash"),
        ("wss://a b/", "blanks or control characters"),
        ("wss://é/", "punycode"),
        ("wss:///", "no host"),
        ("wss://a:0/", "1 to 65535"),
        ("wss://a/|", "percent-encode"),
    ],
)
def test_a_refusal_says_what_is_wrong(url: str, told: str) -> None:
    """In a few words, for whoever has to mend the configuration."""
    with pytest.raises(UnsafeEndpointError, match=told):
        Endpoint.parse(url)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (None, "set api_base to one with wss://"),
        ("127.0.0.1:1/v1", "check api_base"),
        ("ws://a.example/", "allow_insecure=true"),
    ],
)
def test_a_refusal_says_what_to_set(url: str | None, hint: str) -> None:
    """By the name that a config string has for it."""
    with pytest.raises(UnsafeEndpointError) as caught:
        Endpoint.parse(url)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize("url", PLAIN)
def test_plain_text_is_for_loopback(url: str) -> None:
    """Without encryption no host but this machine is taken, unless the operator says so."""
    assert Endpoint.parse(url, allow_insecure=True).scheme == "ws"
    with pytest.raises(UnsafeEndpointError, match="not encrypted") as caught:
        Endpoint.parse(url)
    assert "wss://" in str(caught.value.hint)


def test_schemes_are_the_protocols_own() -> None:
    """A caller says which schemes its protocol has; an HTTP provider takes https."""
    assert Endpoint.parse("https://a/v1", schemes=["https"]).secure
    with pytest.raises(UnsafeEndpointError, match="https://"):
        Endpoint.parse("wss://a/", schemes=["https"])
    with pytest.raises(UnsafeEndpointError, match="begin with"):
        Endpoint.parse("ftp://a/", schemes=["ftp"])
    with pytest.raises(UnsafeEndpointError, match="http"):
        Endpoint.parse("http://a/", schemes=["https", "http"])


@pytest.mark.parametrize(
    "url",
    [
        f"wss://{CANARY}@a/",
        f"wss://user:{CANARY}@a/",
        f"wss://a/?key={CANARY}",
        f"wss://a/#{CANARY}",
        f"wss://a:{CANARY}/",
        f"wss://{CANARY}:secret/",
        f"{CANARY}://a/",
        f"wss://a/{CANARY}|",
        f"wss://a {CANARY}",
        f"wss://é{CANARY}/",
    ],
)
def test_a_refusal_repeats_nothing(url: str) -> None:
    """What stands in a refused URL may be a key: no message or traceback of ours has it."""
    with pytest.raises(UnsafeEndpointError) as caught:
        Endpoint.parse(url)
    error = caught.value
    assert error.__traceback__ is not None
    told = everything_told(error.with_traceback(error.__traceback__.tb_next))
    assert CANARY.lower() not in told.lower()


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("wss://a/", "a"),
        ("wss://a:443/", "a"),
        ("wss://a:80/", "a:80"),
        ("ws://[::1]/", "[::1]"),
        ("ws://[::1]:8080/", "[::1]:8080"),
        ("ws://127.0.0.1:443/", "127.0.0.1:443"),
    ],
)
def test_the_host_header_is_as_it_is_sent(url: str, header: str) -> None:
    """The default port is left out, an IPv6 address is in brackets."""
    assert Endpoint.parse(url).host_header == header


def test_another_path_is_checked_too() -> None:
    """with_path keeps the service, and takes nothing that is no path."""
    endpoint = Endpoint.parse("wss://a:1/b")
    assert str(endpoint.with_path("/c/d")) == "wss://a:1/c/d"
    for path in ("", "c", "/c?d", "/c d", "/\r\nX: y"):
        with pytest.raises(UnsafeEndpointError, match="path"):
            endpoint.with_path(path)


@pytest.mark.parametrize(
    ("scheme", "host", "port"),
    [
        ("ftp", "a", 1),
        ("wss", "", 1),
        ("wss", "A", 1),
        ("wss", "a\r\nX: y", 1),
        ("wss", "[::1]", 1),
        ("wss", "::0:1", 1),
        ("wss", "a", 0),
        ("wss", "a", 65536),
    ],
)
def test_one_made_by_hand_is_checked(scheme: str, host: str, port: int) -> None:
    """An endpoint that exists is right, however it was made."""
    with pytest.raises(UnsafeEndpointError):
        Endpoint(scheme=scheme, host=host, port=port)


def test_whether_it_must_be_public_stays_with_it() -> None:
    """It is no part of the URL, and goes along to another path."""
    endpoint = Endpoint.parse("wss://a:1/b", public_only=True)
    assert (endpoint.public_only, str(endpoint)) == (True, "wss://a:1/b")
    assert endpoint.with_path("/c").public_only
    assert not Endpoint.parse("wss://a:1/b").with_path("/c").public_only


HOSTS = [
    *("good.com", "GOOD.com", "good.com.", ".good.com", "a_b", "xn--80ak6aa92e.com", "a..b"),
    *("127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.01", "1.2.3.4.5"),
    *("[::1]", "[::FFFF:127.0.0.1]", "[0:0::1]", "[::1%25eth0]", "[::1%eth0]", "[v1.a]", "::1"),
    *("good.com%2eevil.com", "good.com%00.evil.com", "good.com%40evil.com", "%67ood.com"),
    *("good.com\\.evil.com", "good.com\\@evil.com", "good.com;evil.com", "good.com,evil.com"),
    *("evil.com@good.com", "good.com:80@evil.com", "good.com:@evil.com", "@good.com", "good.com@"),
    *("good.com#@evil.com", "good.com?@evil.com", "good.com&@evil.com#@bad.com"),
    *(
        "good.com\tevil.com",
        "good.com\nevil.com",
        "good.com\r\nHost: evil.com",
        "good.com evil.com",
    ),
    *(
        "good.com\x00evil.com",
        "\u0261ood.com",
        "good\u3002com",
        "\uff47ood.com",
        "good.com\u2044evil",
    ),
    *("good.com\uff0fevil.com", "\u2460.com", "gro\u00df.de", "", " ", "[", "]", "[]", "-", "*"),
]
"""What has fooled parsers: two readings of one host (Orange Tsai, "A New Era of SSRF", 2017)."""

PORTS = ["", ":", ":0", ":1", ":443", ":00443", ":65535", ":65536", ":+1", ":-1", ": 1", ":1 "]
PORTS += [":1_0", ":\u0661", ":1:2", ":1@evil.com", ":1#@evil.com", ":a", ":0x1"]

TAILS = ["", "/", "//evil.com/", "/\\evil.com", "/@evil.com", "/..;/", "?@evil.com", "#@evil.com"]

BEFORE = ["wss://", "wss:", "wss:/", "wss:///", "wss:\\\\", "//", " wss://", "wss://\t", "w\tss://"]


def _of_websockets(url: str) -> tuple[str, int | None]:
    read = parse_uri(url)
    return read.host, read.port


def _of_urlsplit(url: str) -> tuple[str, int | None]:
    read = urlsplit(url)
    return read.hostname or "", read.port


def _of_urllib3(url: str) -> tuple[str, int | None]:
    read = parse_url(url)
    return (read.host or "").strip("[]"), read.port


def _of_urllib(url: str) -> tuple[str, int | None]:
    """As ``urlopen`` connects: one module finds the host, another one its port."""
    request = Request(url.replace("wss", "https", 1))  # noqa: S310  # nothing is opened
    connection = HTTPSConnection(request.host)
    return connection.host, connection.port


@pytest.mark.parametrize("theirs", [_of_websockets, _of_urlsplit, _of_urllib3, _of_urllib])
def test_no_other_parser_goes_elsewhere(theirs: Callable[[str], tuple[str, int | None]]) -> None:
    """Whatever is taken of the nastiest URLs, others read the same host and port from."""
    taken = 0
    urls = [b + h + p + t for b in BEFORE for h in HOSTS for p in PORTS for t in TAILS]
    for url in urls:
        with suppress(UnsafeEndpointError):
            ours = Endpoint.parse(url)
            host, port = theirs(url)
            assert (ours.host, ours.port) == (_canonical(host), port or 443), url
            taken += 1
    assert taken > 50


def _canonical(host: str) -> str:
    """IPv6 has several spellings of one address, and names have capitals."""
    return str(ip_address(host)) if ":" in host else host.lower()


@given(endpoint=endpoints)
def test_printing_and_reading_are_inverse(endpoint: Endpoint) -> None:
    """str() gives the URL that parses to the same endpoint; copies are equal too."""
    again = Endpoint.parse(str(endpoint), schemes=every_scheme, allow_insecure=True)
    assert again == endpoint
    assert copy.deepcopy(endpoint) == endpoint


@given(
    url=st.one_of(
        st.text(),
        st.text(alphabet="wss://a.1:@[]?#\\%-_ \t\nxé0"),
        st.from_regex(r"wss?://[a-z0-9.:@\[\]%-]{0,20}/?[ -~]{0,9}", fullmatch=True),
    )
)
@example(url="wss://[" + ":" * 50 + "]/")
def test_any_text_is_read_as_others_do_or_refused(url: str) -> None:
    """There is no third way, and what was read prints as plain ASCII."""
    try:
        endpoint = Endpoint.parse(url, allow_insecure=True)
    except UnsafeEndpointError:
        return
    theirs = urlsplit(url)
    assert (theirs.scheme, theirs.path or "/") == (endpoint.scheme, endpoint.path)
    assert theirs.port in (endpoint.port, None)
    assert str(endpoint).isascii()
    assert str(endpoint).isprintable()
