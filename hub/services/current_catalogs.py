"""Catalogues that change while a hub runs: each evaluation uses those that lie on the disk when it begins, all of them or none.

What candidates were scored with is written down in the state, as a number. Whoever finds others on the disk leaves a job for each
event with candidates of late, in the same transaction.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from sqlalchemy.orm import Session

from hub.catalogs.searching import Catalogs, Stamp, infos_in, stamp_of
from hub.errors import ConfigError, StorageError
from hub.model.catalog import CatalogInfo
from hub.ports import Clock, Health
from hub.science.candidates import Question
from hub.science.facts import Facts
from hub.science.host_rules import HostRules
from hub.science.light_curves import LightCurves
from hub.services import onsets
from hub.services.catalogued import Catalogued
from hub.services.hosting import Hosting
from hub.services.maps import MapCache
from hub.storage import catalog_state
from hub.storage.engine import Store
from hub.telemetry import get_logger

log = get_logger("catalogs")


class CurrentHosting:
    """A `Hosting` with the catalogues of a folder as they are now.

    A catalogue that is replaced is another file, and whoever has the former one open goes on reading it: an evaluation that has
    begun sees the former ones to its end. Where the new ones cannot be read the former ones stay in use.

    Parameters
    ----------
    folder, use
        Of the catalogues, and the names of those that are used; all where none is named.
    rules, maps
        As `Hosting` takes them.

    Raises
    ------
    ConfigError
        One that is named is not there, or one cannot be read.
    """

    def __init__(self, folder: Path, use: Sequence[str], rules: HostRules, maps: MapCache) -> None:
        self._folder = folder
        self._use = tuple(use)
        self._rules = rules
        self._maps = maps
        self._lock = Lock()
        self._stamp = stamp_of(folder, self._use)
        self._now = self._opened()

    @property
    def catalogs(self) -> Catalogs:
        """Those that an evaluation which begins now would use."""
        return self._current()[0]

    def __call__(self, session: Session, questions: Sequence[Question], curves: LightCurves) -> list[Facts]:
        """Return for each question what is known of its objects."""
        return self._current()[1](session, questions, curves)

    def _current(self) -> tuple[Catalogs, Hosting]:
        stamp = stamp_of(self._folder, self._use)
        with self._lock:
            if stamp != self._stamp:
                self._stamp = stamp  # before they are opened: what is replaced meanwhile has another one
                try:
                    self._now = self._opened()
                except ConfigError as error:
                    log.warning("catalogues stay as they were", error=str(error))
                else:
                    log.info("catalogues opened", names=[one.name for one in self._now[0].infos])
            return self._now

    def _opened(self) -> tuple[Catalogs, Hosting]:
        catalogs = Catalogs(self._folder, self._use)
        return catalogs, Hosting(Catalogued(catalogs, self._rules), self._rules, self._maps)


class CatalogWatch:
    """Has candidates evaluated again when catalogues are added, replaced or taken away.

    Parameters
    ----------
    store
        The state.
    folder, use
        Of the catalogues, and the names of those that are used; all where none is named.
    clock
        The present.
    """

    def __init__(self, store: Store, folder: Path, use: Sequence[str], clock: Clock) -> None:
        self._store = store
        self._folder = folder
        self._use = tuple(use)
        self._clock = clock
        self._seen: Stamp | None = None
        self._n_asked = 0
        self._fault = ""

    def step(self) -> int:
        """Look once; return how many jobs were left."""
        stamp = stamp_of(self._folder, self._use)
        if stamp == self._seen:
            return 0
        try:
            asked = self._note(content_of(infos_in(self._folder), stamp))
        except (ConfigError, StorageError) as error:
            self._fault = str(error)
            return 0
        self._seen, self._fault = stamp, ""
        self._n_asked += asked
        return asked

    def health(self) -> Health:
        """Return how it is; callable from any thread."""
        alarms = (f"the catalogues are not taken up: {self._fault}",) if self._fault else ()
        return Health(state="faulty" if self._fault else "running", alarms=alarms, facts={"events": self._n_asked})

    def _note(self, content: int) -> int:
        with self._store.transaction() as session:
            if not catalog_state.note(session, content):
                return 0
            asked = onsets.ask(session, self._clock())
        log.info("catalogues have changed", events=asked)
        return asked


def content_of(infos: Iterable[CatalogInfo], stamp: Stamp) -> int:
    """Return a number that tells what is in the catalogues of a stamp, the same for the same ones on any disk; below 2**62."""
    sizes = {name: size for name, _, size, _ in stamp}
    said = [(json.dumps(asdict(one), sort_keys=True), sizes[one.name]) for one in infos if one.name in sizes]
    return int.from_bytes(hashlib.sha256(json.dumps(said).encode()).digest()[:8], "big") >> 2
