"""Which addresses are public: a table, and that nothing is which the standard library doubts."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from modelplug.transport.addresses import is_public

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::",
    "2400:3200::1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:0.0.0.0",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:808:808::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_public(address: str) -> None:
    """Also the addresses right beside the special ones, and IPv4 in the clothes of IPv6."""
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_special_is_not_public(address: str) -> None:
    """Private, loopback, link-local, multicast, reserved, unspecified; in every form."""
    assert not is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "8.8.8", "0x08.8.8.8", "08.8.8.8", "[::1]"])
def test_what_is_no_address_is_not_public(text: str) -> None:
    """Nothing that could be read in another way passes."""
    assert not is_public(text)


@given(address=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str))
@example(address="192.88.99.0")
def test_nothing_is_public_that_the_standard_library_doubts(address: str) -> None:
    """Two tables made by different people: ours takes no address that theirs refuses."""
    plain = ip_address(address)
    # What these hold is judged by itself, of which the library knows nothing; see below.
    assume(isinstance(plain, IPv4Address) or plain not in IPv6Network("64:ff9b::/96"))
    if is_public(address):
        inner = plain if isinstance(plain, IPv4Address) else plain.ipv4_mapped or plain.sixtofour
        judged = inner or plain
        assert judged.is_global
        assert not judged.is_multicast
        assert not judged.is_reserved


@given(inner=st.ip_addresses(v=4))
@example(inner=IPv4Address("127.0.0.1"))
def test_an_ipv4_address_is_the_same_in_all_its_clothes(inner: IPv4Address) -> None:
    """Mapped, NAT64 and 6to4 forms are as public as the address itself."""
    bare, figures = is_public(str(inner)), int(inner)
    mapped = IPv6Address(0xFFFF << 32 | figures)
    nat64 = IPv6Address(0x64_FF9B << 96 | figures)
    six_to_four = IPv6Address(0x2002 << 112 | figures << 80 | 1)
    assert [bare] * 3 == [is_public(str(form)) for form in (mapped, nat64, six_to_four)]
