"""Which addresses are the internet's: what a public service may have, and a private one not.

A name in the DNS is somebody else's word. If that of a public service leads to this machine,
its network or the metadata service of its cloud, then somebody there has a hand in it, and a
credential must not follow.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["is_public"]

# IANA's registries of special-purpose addresses (RFC 6890) and of multicast. A table of our
# own, as that of ``ipaddress`` changes with Python's patch releases.
_SPECIAL = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; the clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, which are no more
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast and reserved
        "2001::/23",  # protocols, Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
]

_GLOBAL = IPv6Network("2000::/3")
"""All of IPv6 that was ever given to anybody (RFC 4291, section 2.4, and IANA's list)."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 as a network that has none sees it: the address is in the last 32 bits (RFC 6052)."""


def is_public(address: str) -> bool:
    """Whether anybody on the internet means the same host by ``address``.

    An IPv4 address in IPv6's clothes (mapped, NAT64, 6to4) is judged by itself.

    Args:
        address: in figures, as the system's look-up gives it; anything else is not public.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is None and found not in _GLOBAL:
            return False
        found = inner or found
    return not any(found in network for network in _SPECIAL)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to ``address`` end at, if it holds one."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
