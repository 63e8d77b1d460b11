"""`manage.py verify_sign_off FILE`: is this sign-off record what a server of ours signed?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.errors import DomainError
from webapp.reviews.record import verified

LARGEST = 50 * 2**20


class Command(BaseCommand):
    help = "Verify the signature of a sign-off record; needs no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the JSON that was downloaded from a review")
        parser.add_argument(
            "--key", default="", help="public key (base64) of the server that signed; default: this one"
        )

    def handle(self, *args: Any, file: Path, key: str, **options: Any) -> None:
        if not file.is_file() or file.stat().st_size > LARGEST:
            raise CommandError(f"There is no readable file {file}.")
        try:
            record = verified(json.loads(file.read_text()), key)
        except (DomainError, ValueError) as error:
            raise CommandError(str(error)) from error
        title, state = record["title"], record["state"]
        self.stdout.write(f"Valid: “{title}” of {record['team']}, {state}, {len(record['runs'])} runs.")
        self.stdout.write(f"Numbers: sha256 {record['subject_hash']}")
        for ruling in record["rulings"]:
            dismissed = f", dismissed: {ruling['dismissal']}" if ruling["dismissal"] else ""
            self.stdout.write(f"  {ruling['at']} {ruling['by']}: {ruling['ruling']}{dismissed}")
