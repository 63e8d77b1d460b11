"""One place that talks: the token, patience with what passes, and problems as exceptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from crosstable.errors import CrosstableError, Problem, Unreachable

TRIES = 5
PASSING = {429, 502, 503, 504}  # statuses that another try may not meet
LONGEST_WAIT = 60.0
Sleep = Callable[[float], None]


class Http:
    """Calls below one address. Only calls that may be repeated without harm are: those that say `again=True`."""

    def __init__(self, url: str, token: str, *, timeout: float = 30.0, sleep: Sleep | None = None, **more: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers["User-Agent"] = "crosstable-client/0.1"
        if not url.startswith(("http://", "https://")):
            raise CrosstableError(f"{url} is not the address of a site: it begins with https:// (or http://).")
        base = f"{url.rstrip('/')}/api/v1/"
        self._client = httpx.Client(base_url=base, headers=headers, timeout=timeout, **more)
        self._sleep = sleep or time.sleep

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **params: Any) -> Any:
        return self.send("GET", path, again=True, params=_given(params)).json()

    def send(self, method: str, path: str, *, again: bool = False, **more: Any) -> httpx.Response:
        """Raises Problem for a refusal, Unreachable without an answer."""
        for attempt in range(1, TRIES + 1):
            last = attempt == TRIES or not again
            try:
                response = self._client.request(method, path, **more)
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(f"{self._client.base_url} does not answer: {error}") from error
                self._sleep(2.0 ** (attempt - 1))
                continue
            if response.status_code in PASSING and not last:
                self._sleep(_wait(response, attempt))
                continue
            return _checked(response)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def stream(self, path: str, params: Mapping[str, Any]) -> Iterator[httpx.Response]:
        """An answer whose body is read by its caller, piece by piece."""
        try:
            with self._client.stream("GET", path, params=_given(params)) as response:
                if not response.is_success:
                    response.read()
                yield _checked(response)
        except httpx.TransportError as error:
            raise Unreachable(f"The answer of {self._client.base_url} broke off: {error}") from error

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """The items of a list, page after page."""
        page = self.get(path, **params)
        yield from page["results"]
        while page.get("next"):
            page = self.send("GET", page["next"], again=True).json()
            yield from page["results"]


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value not in (None, "")}


def _wait(response: httpx.Response, attempt: int) -> float:
    asked = response.headers.get("Retry-After", "")
    return min(LONGEST_WAIT, float(asked)) if asked.isdigit() else 2.0 ** (attempt - 1)


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    if response.has_redirect_location:
        detail = f"{response.request.url} leads to {response.headers['Location']}: use the address of that site."
        raise Problem(response.status_code, {"detail": detail})
    try:
        body = response.json()
    except ValueError:
        body = {"detail": f"{response.request.url} answers {response.status_code} {response.reason_phrase}"}
    raise Problem(response.status_code, body if isinstance(body, dict) else {"detail": str(body)})
