"""Which addresses may be asked."""

from __future__ import annotations

import socket

import pytest

from evaluation.endpoints import check_url, permitted, split_url
from evaluation.errors import EndpointRefused


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # metadata of clouds
        "168.63.129.16",  # Azure's host
        "192.0.0.8",
        "fec0::1",
        "3fff::1",
        "::ffff:192.0.0.8",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  # an address to refuse, not to bind
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
    ],
)
def test_inner_addresses_are_not_permitted(address: str) -> None:
    assert not permitted(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert permitted(address)


def test_an_allowed_network_opens_itself_only() -> None:
    assert permitted("10.1.2.3", ["10.1.0.0/16"])
    assert not permitted("10.2.2.3", ["10.1.0.0/16", "models.internal"])
    assert permitted("fd00::5", ["fd00::/64"])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "file:///etc/passwd",
        "example.com/v1",
        "http://",
        "http://user:secret@example.com/v1",
        "http://example.com/v1?x=1",
        "http://example.com:99999/v1",
        "http://[::1/v1",
        "",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(EndpointRefused) as refused:
        check_url(url)
    assert refused.value.field == "base_url"
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "169.254.169.254"])
def test_every_spelling_of_an_inner_address_is_refused(host: str) -> None:
    with pytest.raises(EndpointRefused, match=r"not public|cannot be found"):
        check_url(f"http://{host}:8000/v1")


def test_allowed_hosts_and_networks_pass() -> None:
    check_url("http://127.0.0.1:8000/v1", ["127.0.0.0/8"])
    check_url("http://LOCALHOST:8000/v1", ["localhost"])


def test_one_inner_address_among_several_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
    with pytest.raises(EndpointRefused, match=r"10\.0\.0\.1"):
        check_url("https://example.com/v1")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries[:1])
    check_url("https://example.com/v1")


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(EndpointRefused, match="cannot be found"):
        check_url("https://no-such-host.invalid/v1")


def test_ports_follow_the_scheme() -> None:
    assert split_url("https://example.com/v1") == ("example.com", 443)
    assert split_url("http://example.com/v1") == ("example.com", 80)
    assert split_url("http://example.com:8000/v1") == ("example.com", 8000)
