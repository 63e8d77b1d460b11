"""Which addresses an endpoint may have: standard library only, so that the web can ask at submit.

A URL typed by a user makes our server connect somewhere. Addresses inside our own network (loopback, private ranges,
cloud metadata) are refused unless the operator allows them on purpose. Names can change their address between two
look-ups, so the worker checks again the very address it connects to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from evaluation.errors import EndpointRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_REMEDY = "Use a public address, or ask the operator to allow this network or host."


def check_url(url: str, allowed_networks: Collection[str] = ()) -> None:
    """Raises EndpointRefused unless `url` is http(s) to addresses that are public or allowed (CIDR or host name)."""
    host, port = split_url(url)
    resolve(host, port, allowed_networks)


def split_url(url: str, *, with_query: bool = False) -> tuple[str, int]:
    """Host and port of an http(s) URL. Raises EndpointRefused for anything else, credentials included.

    with_query: a query is welcome; nothing will be appended to this URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise EndpointRefused(f"The address is not a URL ({error}).", field="base_url") from None
    if parts.scheme not in ("http", "https") or not host:
        raise EndpointRefused(
            "The address must start with http:// or https:// and name a host.",
            field="base_url",
            remedy="An example: https://models.example.com/v1",
        )
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise EndpointRefused(
            "The address must not hold a user, a password or a fragment.",
            field="base_url",
            remedy="Leave them out. Where a key is needed it has its own field.",
        )
    if parts.query and not with_query:
        raise EndpointRefused(
            "The address must not hold a query.", field="base_url", remedy="Give the key in its own field."
        )
    return host, port or (443 if parts.scheme == "https" else 80)


def resolve(host: str, port: int, allowed_networks: Collection[str] = ()) -> list[str]:
    """The numeric addresses of a host, all of them checked. Raises EndpointRefused: unknown, or one not permitted."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise EndpointRefused(
            f"The host {host} cannot be found.", field="base_url", remedy="Check its name and the network."
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if host.rstrip(".").lower() in {name.lower() for name in allowed_networks}:
        return addresses
    for address in addresses:
        if not permitted(address, allowed_networks):
            raise EndpointRefused(
                f"The host {host} has the address {address}, which is not public.", field="base_url", remedy=_REMEDY
            )
    return addresses


# What Python's own tables call global and is not: RFC 3879's site-local, RFC 6890's protocol assignments, RFC 9637's
# documentation, and the address at which Azure's hosts answer their guests.
NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("fec0::/10", "192.0.0.0/24", "3fff::/20", "168.63.129.16/32")))


def permitted(address: str, allowed_networks: Collection[str] = ()) -> bool:
    """Whether a numeric address is public, or in one of the allowed networks (CIDR; host names are passed over)."""
    real = _unwrap(ipaddress.ip_address(address.partition("%")[0]))
    if any(real in network for network in _networks(allowed_networks)):
        return True
    if any(real in network for network in NOT_PUBLIC):
        return False
    return real.is_global and not real.is_multicast and not real.is_reserved


def _unwrap(address: Address) -> Address:
    """The IPv4 address inside of an IPv6 one (mapped, 6to4, Teredo, NAT64): that is where packets would go."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and address in ipaddress.IPv6Network("64:ff9b::/96"):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def _networks(allowed: Collection[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = []
    for entry in allowed:
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            continue  # a host name
    return networks
