"""The real programs are started, stopped and killed; nothing is replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from deploy.local.environment import ROOT
from deploy.local.folders import FolderError, is_locked
from deploy.local.processes import alive
from deploy.local.servers import EmbeddedPostgres, EmbeddedValkey, ServerError


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a PostgreSQL that has run once: later starts need no initdb."""
    home = tmp_path_factory.mktemp("cluster") / "postgres"
    EmbeddedPostgres(home, durable=False).start().stop()
    return home


@pytest.fixture
def postgres(cluster: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(cluster, durable=False).start()
    yield server
    server.stop()


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_rows_survive_a_restart_of_a_durable_postgres(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres").start()
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('café')")
    server.stop()
    assert not server.running()
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("café",)]
        settings = (
            "SELECT current_setting('fsync'), current_setting('listen_addresses'), current_setting('server_encoding')"
        )
        assert connection.execute(settings).fetchone() == ("on", "", "UTF8")
    server.stop()


def test_a_queue_survives_kill_9_of_valkey(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "valkey").start()
    with redis.from_url(server.channel_layer_url()) as client:
        client.rpush("queue", "first", "second")
    time.sleep(1.2)  # the append-only file is written every second
    assert server.process
    server.process.kill()
    server.process.wait()
    server.stop()
    server.start()
    with redis.from_url(server.channel_layer_url()) as client:
        assert client.lrange("queue", 0, -1) == [b"first", b"second"]
    server.stop()


def test_only_the_owner_reaches_the_sockets(postgres: EmbeddedPostgres) -> None:
    assert postgres.sockets.stat().st_mode & 0o777 == 0o700
    assert postgres.home.stat().st_mode & 0o777 == 0o700


def test_a_second_start_on_the_same_folder_is_refused_with_words(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(FolderError, match=rf"is in use by process {os.getpid()}\. Stop it first"):
        EmbeddedPostgres(postgres.home).start()
    assert postgres.running()


def test_a_lock_file_left_by_a_killed_machine_is_removed(cluster: Path) -> None:
    """After a reboot the recorded process id may be any program's: here our own."""
    (cluster / "data/postmaster.pid").write_text(f"{os.getpid()}\n{cluster / 'data'}\n0\n5432\n\n\n\nready\n")
    server = EmbeddedPostgres(cluster, durable=False).start()
    assert server.running()
    server.stop()


def test_data_of_another_major_version_is_refused_and_kept(cluster: Path) -> None:
    version = cluster / "data/PG_VERSION"
    original = version.read_text()
    version.write_text("12\n")
    try:
        with pytest.raises(ServerError, match="was made by PostgreSQL 12"):
            EmbeddedPostgres(cluster).start()
        assert not is_locked(cluster)
    finally:
        version.write_text(original)


def test_an_interrupted_first_start_is_done_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres/data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False).start()
    assert server.running()
    server.stop()


def test_a_deep_folder_gets_a_short_socket_path(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a" * 30] * 4)
    server = EmbeddedValkey(deep).start()
    try:
        assert deep not in server.socket.parents
        assert server.socket.parent.stat().st_mode & 0o777 == 0o700
        with redis.from_url(server.channel_layer_url()) as client:
            assert client.ping()
    finally:
        server.stop()
    assert not server.socket.parent.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    home = tmp_path / "valkey"
    (home / "appendonlydir").mkdir(parents=True)
    (home / "appendonlydir/appendonly.aof.manifest").write_text("no manifest\n")
    with pytest.raises(ServerError, match=r"Valkey ended with code 1: .*manifest"):
        EmbeddedValkey(home).start()


OWNER = """
import sys, time
from pathlib import Path
from deploy.local.servers import EmbeddedPostgres, EmbeddedValkey
servers = [EmbeddedPostgres(Path(sys.argv[1]), durable=False).start(), EmbeddedValkey(Path(sys.argv[2])).start()]
print(*(server.process.pid for server in servers), flush=True)
time.sleep(600)
"""


def test_kill_9_of_the_owner_leaves_no_server_behind(cluster: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(cluster), str(tmp_path / "valkey")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        servers = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(servers) == 2
        assert all(map(alive, servers))
        owner.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not any(map(alive, servers)))
    # The next start needs no cleaning by hand.
    server = EmbeddedPostgres(cluster, durable=False).start()
    server.stop()


STARTER = """
import sys
from pathlib import Path
from deploy.local.servers import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1]), durable=False).start().stop()
"""


def test_where_root_must_become_nobody_a_closed_folder_is_named(tmp_path: Path) -> None:
    """pytest's own folders are closed to others: nobody cannot enter, while an ordinary user just starts."""
    environment = os.environ | {"CROSSTABLE_NO_USER_NAMESPACE": "1"}
    command = [sys.executable, "-c", STARTER, str(tmp_path / "postgres")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if os.geteuid() == 0:
        assert f"every folder above {tmp_path / 'postgres'} must be open" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
