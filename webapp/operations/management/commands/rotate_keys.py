"""`manage.py rotate_keys`: seal all secrets with the present SECRET_KEY, so that the former ones can be taken away."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.operations.rotation import retired_signing_keys, rotate


class Command(BaseCommand):
    help = "Seal all stored secrets with the present SECRET_KEY (former ones: SECRET_KEY_FALLBACKS)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say whether a former key is still needed")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        rotation = rotate(dry=check)
        if rotation.unreadable:
            raise CommandError(
                f"No key opens {', '.join(rotation.unreadable[:20])} ({len(rotation.unreadable)} in all). "
                "Put the SECRET_KEY that sealed them into SECRET_KEY_FALLBACKS, or give them new secrets."
            )
        if check and rotation.done:
            raise CommandError(f"{rotation.done} secrets still need a former key. Run `manage.py rotate_keys`.")
        self.stdout.write(f"{rotation.done} secrets were sealed with the present key; none needs a former one.")
        if keys := retired_signing_keys():
            self.stdout.write("Before SECRET_KEY_FALLBACKS is emptied, keep what verifies old sign-off records:")
            self.stdout.write(f"CROSSTABLE_RETIRED_SIGNING_KEYS={','.join(keys)}")
