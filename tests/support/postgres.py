"""A throw-away PostgreSQL server: a temporary folder, a Unix socket and nothing else."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from hub.errors import HubError
from hub.storage.engine import Store, open_store, upgrade

FOLDERS = (Path("/usr/lib/postgresql/15/bin"),)
"""Where Debian puts the server of version 15, outside PATH."""

START_S = 120
"""How long a server may take to answer."""


_numbers = itertools.count(1)


class ServerMissing(HubError):
    """No PostgreSQL server can be started here."""


@contextmanager
def server(*, copy_of: Path | None = None, keep_as: Path | None = None) -> Iterator[str]:
    """Give the URL of a fresh server's first database; try twice to start one.

    Parameters
    ----------
    copy_of
        Data that an earlier server left with `keep_as`; a copy of them is served. None: nothing in it yet.
    keep_as
        Where its data are put once it has stopped in good order; the folder must not exist.

    Raises
    ------
    ServerMissing
        There are no binaries, no unprivileged user to run them, or they do not start.
    """
    initdb, postgres = _binary("initdb"), _binary("postgres")
    folder = Path(tempfile.mkdtemp(prefix="mmhub-pg-"))
    try:
        process = None
        error = ""
        for attempt in ("first", "second"):
            home = folder / attempt
            home.mkdir()
            try:
                process = _start(initdb, postgres, home, copy_of)
                break
            except ServerMissing as reason:
                error = str(reason)
        if process is None:
            raise ServerMissing(error)
        try:
            yield _url(home)
        finally:
            process.terminate()  # SIGTERM lets open sessions end, of which there are none
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if keep_as is not None:
            if process.returncode != 0:
                raise ServerMissing(f"the PostgreSQL server ended with code {process.returncode}")
            shutil.copytree(home / "data", keep_as)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(root: str, template: str = "template1") -> str:
    """Return the URL of a new database of a server, made like another one of it; `root` is the URL of any of its databases."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(root, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()
    return make_url(root).set(database=name).render_as_string(hide_password=False)


def open_new(root: str) -> Store:
    """Return a new database of a server with the hub's tables, to be closed."""
    url = new_database(root)
    upgrade(url)
    return open_store(url)


def _start(initdb: str, postgres: str, home: Path, copy_of: Path | None) -> "subprocess.Popen[bytes]":
    data = home / "data"
    if copy_of is not None:
        shutil.copytree(copy_of, data)
    runner = _as_unprivileged(home)
    if copy_of is None:
        made = subprocess.run(
            [*runner, initdb, "-D", str(data), "-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            capture_output=True,
            cwd="/",
            check=False,
        )
        if made.returncode != 0:
            raise ServerMissing(f"initdb failed: {made.stderr.decode(errors='replace')[-200:]}")
    log = (home / "log").open("wb")
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={home}", "-c", "fsync=off"]
    with log:
        process = subprocess.Popen([*runner, postgres, "-D", str(data), *options], stdout=log, stderr=log, cwd="/")
    engine = create_engine(_url(home))
    deadline = time.monotonic() + START_S
    try:
        while True:
            try:
                with engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
                return process  # noqa: TRY300 - the end of the loop
            except OperationalError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    process.wait()
                    raise ServerMissing("the PostgreSQL server does not start") from error
                time.sleep(0.05)  # between two looks at a condition, not in place of one
    finally:
        engine.dispose()


def _url(home: Path) -> str:
    return f"postgresql+psycopg://hub@/postgres?host={home}"


def _binary(name: str) -> str:
    for folder in FOLDERS:
        if (folder / name).is_file():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise ServerMissing(f"no PostgreSQL server binary {name}")
    return found


def _as_unprivileged(home: Path) -> list[str]:
    """Return the command prefix that runs a program as a user without rights (the server refuses root), who then owns the folder."""
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        for path in (home.parent, home, *home.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        if shutil.which("setpriv"):
            return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        if shutil.which("runuser"):
            return ["runuser", "-u", name, "--"]
    raise ServerMissing("PostgreSQL does not run as root and there is no other user")
