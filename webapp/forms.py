"""Forms of pages: they parse; the rules are in the services, whose refusals land on the field they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.db import transaction
from django.forms.fields import InvalidJSONInput

from webapp.bounds import BadJSON, loads
from webapp.errors import DomainError

T = TypeVar("T")


class JSONText(forms.JSONField):
    """A JSON object that people type or paste; what they typed stays as it is when the form is shown again."""

    def to_python(self, value: Any) -> Any:
        try:
            found = loads(value) if isinstance(value, str) and value.strip() else None
        except BadJSON as error:
            raise forms.ValidationError(f"This cannot be read as JSON: {error}.", code="invalid") from error
        if found is not None and not isinstance(found, dict):
            raise forms.ValidationError("This is not a JSON object.", code="invalid")
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else InvalidJSONInput(data or "")


class ServiceForm(forms.Form):
    """A form whose cleaned fields are the arguments of one service."""

    # A service's field name, where the form calls it otherwise.
    aliases: dict[str, str] = {}

    def attempt(self, service: Callable[..., T], **fixed: Any) -> T | None:
        """Call the service with the cleaned data; None when the form or the service found something wrong."""
        if not self.is_valid():
            return None
        try:
            return service(**fixed, **self.arguments())
        except DomainError as error:
            self.refuse(error)
            return None

    def rehearse(self, service: Callable[..., T], **fixed: Any) -> T | None:
        """As `attempt`, but nothing that is written stays: for estimates of what a form would do."""
        with transaction.atomic():
            result = self.attempt(service, **fixed)
            transaction.set_rollback(True)
        return result

    def arguments(self) -> dict[str, Any]:
        return dict(self.cleaned_data)

    def refuse(self, error: DomainError) -> None:
        field = self.aliases.get(error.field, error.field)
        self.add_error(field if field in self.fields else None, str(error))

    @property
    def status(self) -> int:
        """The answer's HTTP status: a refused form is not a success."""
        return 422 if self.is_bound and self.errors else 200
