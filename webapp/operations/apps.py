from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class OperationsConfig(AppConfig):
    name = "webapp.operations"

    def ready(self) -> None:
        if settings.SENTRY_DSN:
            from webapp.operations import sentry

            sentry.start()
