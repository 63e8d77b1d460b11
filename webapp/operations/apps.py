from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, register


class OperationsConfig(AppConfig):
    name = "webapp.operations"

    def ready(self) -> None:
        from webapp.operations.checks import sessions_are_kept

        register(sessions_are_kept, Tags.database)
        if settings.SENTRY_DSN:
            from webapp.operations import sentry

            sentry.start()
