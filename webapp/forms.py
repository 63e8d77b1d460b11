"""Forms of pages: they parse; the rules are in the services, whose refusals land on the field they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.db import transaction

from webapp.errors import DomainError

T = TypeVar("T")


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
