"""What a process counts while it happens."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from prometheus_client import REGISTRY

from webapp.leaderboards.models import Leaderboard
from webapp.tests.test_security import browser


def sockets() -> float:
    return REGISTRY.get_sample_value("crosstable_sockets") or 0.0


def test_a_socket_counts_for_as_long_as_it_is_open(transactional_db: None, board: Leaderboard) -> None:
    Leaderboard.objects.update(visibility="public")
    before = sockets()

    async def watch() -> list[float]:
        found = []
        peers = [browser(b"http://testserver", "/ws/boards/lab/main/") for _ in range(2)]
        for peer in peers:
            await peer.send_input({"type": "websocket.connect"})
            assert (await peer.receive_output(5))["type"] == "websocket.accept"
            found.append(sockets())
        for peer in peers:
            await peer.send_input({"type": "websocket.disconnect", "code": 1000})
            await peer.wait(5)
            found.append(sockets())
        return found

    assert async_to_sync(watch)() == [before + 1, before + 2, before + 1, before]
