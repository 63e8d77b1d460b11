"""`manage.py password_link NAME`: a link with which somebody who cannot sign in sets a new password."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.accounts.password_resets import make_reset_link
from webapp.errors import DomainError


class Command(BaseCommand):
    help = "Print a link with which a person sets a new password. It works once, for a day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        try:
            path = make_reset_link(actor=None, username=username)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(settings.SITE_URL + path)
