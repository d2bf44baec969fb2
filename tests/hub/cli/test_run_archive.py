"""The archive is looked after by a process of its own: whoever is killed, the nights are compacted, and nobody is left behind."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hub.archive import hats, layout
from hub.archive.history import ArchiveHistory
from hub.bootstrap import create_database, now
from hub.config import load
from hub.model.instant import Instant
from hub.services.archive_care import LEASE
from hub.storage import components, leases
from hub.storage.engine import Store, open_store
from tests.conftest import REPOSITORY
from tests.support.archived import survey_night
from tests.support.running_hub import RunningHub, until

N = 20_000
WHOLE = np.array([0], dtype=np.int64), np.array([12 << 58], dtype=np.int64)


class Site:
    """A folder with a database, and the alerts of a night that is over and should be compacted."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "mmhub.toml"
        self.config.write_text(f'[hub]\ndata_dir = "{folder / "data"}"\n[followup]\nenabled = false\n')
        self.night = int(now().mjd_tai) - 3
        settings = load([self.config], {}).settings
        self.archive = settings.archive_folder
        history = ArchiveHistory(self.archive)
        (alerts,) = survey_night(self.night, N, per_visit=N)
        assert history.append(alerts).all()
        (file,) = layout.list_night(self.archive, self.night).fresh
        long_ago = now().plus_s(-7200.0).to_datetime().timestamp()
        os.utime(file, (long_ago, long_ago))
        self.ids = sorted(alerts.source_id.tolist())
        with create_database(settings):
            self._url = settings.storage_url

    def is_compacted(self) -> bool:
        """Return whether the night is a catalog, and nothing else of it is there."""
        return hats.nights(self.archive) == [self.night] and not layout.list_night(self.archive, self.night).fresh

    def is_built(self) -> bool:
        """Return whether a catalog is being written, or is there."""
        return self.is_compacted() or any((self.archive / hats.NIGHTS).glob(".*.building"))

    def check(self) -> None:
        """Hold the archive to having each alert once."""
        sometime = Instant.from_mjd_tai(self.night), Instant.from_mjd_tai(self.night + 2)
        found = ArchiveHistory(self.archive).in_region(*WHOLE, *sometime)
        assert sorted(np.concatenate([batch.source_id for batch in found]).tolist()) == self.ids
        assert ArchiveHistory(self.archive).count_ever() == N

    def store(self) -> Store:
        return open_store(self._url)

    def keeper(self) -> int:
        """Return the id of the process that has the lease; 0 while none has it."""
        with closing(self.store()) as store, store.reading() as session:
            holder = leases.holder_of(session, LEASE)
        return 0 if holder is None else int(holder.split("/")[2])

    def told(self, name: str) -> components.Component | None:
        with closing(self.store()) as store, store.reading() as session:
            return next((one for one in components.listing(session) if one.name == name), None)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_a_process_beside_the_hub_gives_way_and_ends_with_it(site: Site) -> None:
    with RunningHub(site.config, "hub", "worker") as hub:
        until(site.is_compacted, "the night is not compacted", [hub])
        (keeper,) = hub.children()
        assert keeper == site.keeper()
        assert os.getpriority(os.PRIO_PROCESS, keeper) == 10
        until(lambda: (one := site.told("archive")) is not None and one.facts["compacted"] == 1, "nobody tells it", [hub])
        told = ("running", {"process": keeper}, ())
        until(
            lambda: (one := site.told("archive-process")) is not None and (one.state, one.facts, one.alarms) == told,
            "the hub does not tell of its process",
            [hub],
        )
        assert hub.stop() == 0
    assert is_gone(keeper)
    assert site.keeper() == 0, "the next one would wait for the lease"
    site.check()


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_is_started_again_and_doubles_nothing(site: Site) -> None:
    killed: list[int] = []
    with RunningHub(site.config, "hub", "worker") as hub:
        for is_there in (lambda: True, lambda: site.keeper() not in (0, *killed), site.is_built):
            until(lambda: bool(set(hub.children()) - set(killed)), "it does not come back", [hub])
            until(is_there, "the work is not begun", [hub])
            (pid,) = set(hub.children()) - set(killed)
            os.kill(pid, 9)
            killed.append(pid)
            until(lambda: _tells_of_death(site, killed[-1]), "nobody tells that it died", [hub])
        until(site.is_compacted, "the night is not compacted", [hub])
        assert hub.stop() == 0
    site.check()
    assert not any((site.archive / hats.NIGHTS).glob(".*")), "half a catalog is left"


def _tells_of_death(site: Site, pid: int) -> bool:
    """Return whether the hub says that a process died, or has another already."""
    beside = site.told("archive-process")
    if beside is None:  # killed before the hub's first report
        return False
    said = f"archive (process {pid}) ended by itself with signal 9"
    return any(said in alarm for alarm in beside.alarms) or beside.facts.get("process", pid) != pid


@pytest.mark.slow
def test_nobody_is_left_behind_by_a_hub_that_is_killed(site: Site) -> None:
    with RunningHub(site.config, "one", "worker") as hub:
        until(lambda: site.keeper() != 0, "the work is not begun", [hub])
        keeper = site.keeper()
        hub.kill()
    until(lambda: is_gone(keeper), "it goes on without its hub")
    with RunningHub(site.config, "two", "worker") as hub:  # has the lease at once: its former holder is seen to be gone
        until(site.is_compacted, "the night is not compacted", [hub])
        assert hub.stop() == 0
    site.check()


PARENT = "import subprocess, sys, os, time; subprocess.Popen([*sys.argv[1:], '--parent', str(os.getpid())]); time.sleep(3600)"


@pytest.mark.slow
def test_one_that_stands_still_in_a_file_system_ends_all_the_same(site: Site) -> None:
    os.mkfifo(layout.fresh_folder(site.archive, site.night) / "aaaaaaaaaaaa-00000001.parquet")  # whoever opens it waits for ever
    with RunningHub(site.config, "archive", "archive") as keeper:
        until(lambda: site.keeper() == keeper.process.pid, "the work is not begun", [keeper])
        assert keeper.stop() == 0
    command = [sys.executable, "-P", "-m", "hub", "--config", str(site.config), "run", "archive"]
    before = site.keeper()
    with subprocess.Popen([sys.executable, "-c", PARENT, *command], cwd=REPOSITORY) as parent:
        try:
            until(lambda: site.keeper() not in (0, before, parent.pid), "the work is not begun")
            orphan = site.keeper()
        finally:
            parent.kill()
    until(lambda: is_gone(orphan), "it goes on without its parent")
