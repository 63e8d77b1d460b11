"""`manage.py retention`: throw away at once what the sweep would throw away bit by bit, or only say what that is."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from webapp.operations.disk import Kept, kept
from webapp.operations.housekeeping import COUNTED
from webapp.operations.rules import RULES


class Command(BaseCommand):
    help = "Throw away what has been kept for long enough (the settings CROSSTABLE_KEEP_..._DAYS)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        if dry_run:
            for one in kept():
                self.stdout.write(_told(one))
            return
        for rule in RULES:
            gone = 0
            while now := rule.turn():
                gone += now
            if gone:
                self.stdout.write(f"{rule.title}: {gone:,} thrown away")


def _told(one: Kept) -> str:
    if one.days is None:
        return f"{one.rule.title}: kept for ever ({one.rule.variable}=0)"
    due = f"more than {COUNTED:,}" if one.outlook.due > COUNTED else f"{one.outlook.due:,}"
    why = f"kept for {one.days} days, {one.rule.variable}" if one.rule.variable else "not kept"
    return f"{one.rule.title}: {due} due ({why})"
