"""HTTP and WebSocket entry point."""

from __future__ import annotations

import os
import warnings

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
# WhiteNoise streams files from a plain iterator; they are small, and browsers keep them for ever.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
django.setup(set_prefix=False)

from channels.auth import AuthMiddlewareStack  # noqa: E402 - models may be imported only now
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from webapp.celery import belfry  # noqa: E402
from webapp.garbage import settle  # noqa: E402
from webapp.handler import ThreadHandler  # noqa: E402
from webapp.metrics import counting_sockets  # noqa: E402
from webapp.urls import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": ThreadHandler(),
        "websocket": AllowedHostsOriginValidator(
            counting_sockets(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
        ),
    }
)

belfry.gather()
settle()
