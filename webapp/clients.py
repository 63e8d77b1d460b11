"""Where requests and sockets come from. X-Forwarded-For is not read here: uvicorn has, from proxies that are named."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request


def client_of(request: HttpRequest | Request) -> str:
    return _owned(str(request.META.get("REMOTE_ADDR", "")))


def viewer_of(scope: Any) -> str:
    """Of a socket: the person, or a stranger's address."""
    person = scope["user"].pk
    return f"person {person}" if person else _owned((scope.get("client") or [""])[0])


def _owned(text: str) -> str:
    """An IPv6 client owns a whole /64, and counts as one."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return text
