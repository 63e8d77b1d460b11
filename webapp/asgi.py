"""HTTP and WebSocket entry point."""

from __future__ import annotations

import asyncio
import os
import warnings
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
# WhiteNoise streams files from a plain iterator; they are small, and browsers keep them for ever.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
django.setup(set_prefix=False)

from channels.auth import AuthMiddlewareStack  # noqa: E402 - models may be imported only now
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from webapp.accounts.authentication import is_known  # noqa: E402
from webapp.celery import belfry  # noqa: E402
from webapp.garbage import settle  # noqa: E402
from webapp.handler import ThreadHandler  # noqa: E402
from webapp.metrics import counting_sockets  # noqa: E402
from webapp.urls import websocket_urlpatterns  # noqa: E402


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """From the start of the server to its end, which uvicorn brings about by a signal: nothing that Python does when it
    exits is done then. A server that does not tell of them rings each bell at once."""
    await receive()
    belfry.gather()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.to_thread(belfry.settle)
    await send({"type": "lifespan.shutdown.complete"})


application = ProtocolTypeRouter(
    {
        "lifespan": lifespan,
        "http": ThreadHandler(is_known),
        "websocket": AllowedHostsOriginValidator(
            counting_sockets(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
        ),
    }
)

settle()
