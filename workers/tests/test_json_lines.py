"""With CROSSTABLE_LOG_FORMAT=json every line of every process is an object, from its start to its end."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from deploy.tests.test_commands import of_systemd
from webapp.jobs.models import Worker
from workers.tests.conftest import Process, Start, answers, free_port, wait_until

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]
FORMAT = {"CROSSTABLE_LOG_FORMAT": "json"}


def lines(process: Process) -> list[dict[str, Any]]:
    """What it has said when it has ended."""
    process.stop()
    return [json.loads(line) for line in process.log.read_text().splitlines()]


def test_the_web(start: Start, static_files: dict[str, str]) -> None:
    """Also of what is no HTTP; nor does an access log that nobody forbade tell an address with a secret."""
    port = free_port()
    words = [str(port) if word == "8000" else word for word in of_systemd("web") if word != "--no-access-log"]
    words[words.index("warning")] = "info"
    web = start(*words, **static_files, **FORMAT)
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), of=web)
    assert not answers(f"http://127.0.0.1:{port}/join/s3cr3t/")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        peer.sendall(b"this is no request\r\n\r\n")
        assert b"400" in peer.recv(1000)
    told = lines(web)
    servers = [(line["level"], line["message"].partition(" r")[0]) for line in told if "uvicorn" in line["logger"]]
    assert servers == [("WARNING", "Invalid HTTP")], "and no line for each socket that opens"
    assert [line["status"] for line in told if line.get("route") == "join/<str:secret>/"] == [302]
    assert "s3cr3t" not in web.log.read_text()


def test_the_analysis_worker(start: Start) -> None:
    words = ["INFO" if word == "WARNING" else word for word in of_systemd("analysis")]
    worker = start(*words, **FORMAT)
    wait_until(lambda: " ready." in worker.log.read_text(), seconds=120, of=worker)
    assert any(line["message"].endswith(" ready.") for line in lines(worker))


@pytest.mark.engine
def test_the_supervisor_and_its_worker(start: Start) -> None:
    supervisor = start("workers", "--devices", "cpu", **FORMAT)
    wait_until(lambda: Worker.objects.filter(stopped_at=None).exists(), seconds=180, of=supervisor)
    assert lines(supervisor)[0]["message"] == "workers on cpu"
