"""What can go wrong, in words for the person at the keyboard."""

from __future__ import annotations

from typing import Any


class CrosstableError(Exception):
    """Everything that this package raises."""


class Unreachable(CrosstableError):
    """No answer, however often it was asked."""


class Problem(CrosstableError):
    """The server refused a call (RFC 9457). errors: messages by field; reference: of an internal error in its log."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.title = str(body.get("title", ""))
        self.detail = str(body.get("detail", ""))
        self.remedy = str(body.get("remedy", ""))
        self.errors: dict[str, Any] = body.get("errors") or {}
        self.reference = str(body.get("reference", ""))
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [self.detail or self.title or f"HTTP status {self.status}"]
        lines += [f"{name}: {_joined(said)}" for name, said in self.errors.items() if _joined(said) not in lines[0]]
        lines += [self.remedy] if self.remedy and not any(self.remedy in line for line in lines) else []
        lines += [f"Reference in the server's log: {self.reference}"] if self.reference else []
        return "\n".join(lines)


def _joined(said: Any) -> str:
    return " ".join(map(str, said)) if isinstance(said, list) else str(said)
