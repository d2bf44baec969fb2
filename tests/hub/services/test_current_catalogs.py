"""Catalogues that are added, replaced and taken away while a hub runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.catalogs.recipes import recipes
from hub.catalogs.searching import remove
from hub.catalogs.writing import add
from hub.resources import read_text
from hub.science.host_rules import load_host_rules
from hub.services.current_catalogs import CatalogWatch, CurrentHosting
from hub.services.maps import MapCache
from hub.storage import candidates, jobs
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import alerts, gaussian_map, localization, notice

RULES = load_host_rules(read_text("conf/hosts.toml"))
HERE = localization(gaussian_map(130.0, 20.0, 3.0), area90_deg2=130.0)


class World:
    """A hub with a folder of catalogues, empty at first, and one candidate."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.folder = folder / "catalogs"
        self.source = folder / "mine.csv"
        self.desk = Desk(store)
        self.facts = CurrentHosting(self.folder, (), RULES, MapCache())
        self.desk.correlation._candidacy = replace(self.desk.correlation._candidacy, facts=self.facts)
        self.desk.tell(notice(far_hz=3e-9), HERE)
        self.desk.show(alerts({"object_id": b"1", "ra": 130.1, "dec": 20.1, "days": 0.4, "reliability": 0.9}))
        self.watch = self.watching()

    def watching(self) -> CatalogWatch:
        return CatalogWatch(self.desk.store, self.folder, (), self.desk.clock)

    def add(self, name: str, kind: str = "variable", ra_deg: float = 130.1) -> None:
        self.source.write_text(f"id,ra,dec,kind\none,{ra_deg},20.1,{kind}\n")
        add(self.source, recipes()["generic"], self.folder, name)

    def waiting(self) -> list[tuple[str, str]]:
        with self.desk.store.reading() as session:
            return [(one.kind, one.key) for one in jobs.take(session, 10)]

    def flags(self) -> tuple[str, ...]:
        with self.desk.store.reading() as session:
            (one,) = (one for one in candidates.search(session, limit=None) if one.hypothesis == "kilonova")
        return tuple(flag for flag in one.flags if flag.startswith("in "))


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    return World(store, tmp_path)


def test_candidates_follow_the_catalogues_without_a_restart(world: World) -> None:
    world.watch.step()
    world.desk.correlation.run_jobs()
    assert world.flags() == ()
    for change, flags in (
        (lambda: world.add("mine"), ("in variable catalogue",)),
        (lambda: world.add("mine", kind="agn"), ("in agn catalogue",)),
        (lambda: world.add("mine", ra_deg=140.0), ()),
        (lambda: world.add("other", kind="magnetar"), ("in magnetar catalogue",)),
        (lambda: remove(world.folder, "other"), ()),
    ):
        change()
        assert world.watch.step() == 1
        assert world.waiting() == [("onsets", "S260301a")]
        world.desk.correlation.run_jobs()
        assert world.flags() == flags
        assert world.watch.step() == 0


def test_one_process_of_several_asks_and_a_restart_does_not(world: World) -> None:
    world.add("mine")
    assert world.watch.step() == 1
    assert world.watching().step() == 0
    world.desk.correlation.run_jobs()
    assert world.waiting() == []


def test_the_same_catalogue_on_another_disk_is_the_same(world: World, tmp_path: Path) -> None:
    world.add("mine")
    assert world.watch.step() == 1
    copied = tmp_path / "copied"
    shutil.copytree(world.folder, copied)
    assert CatalogWatch(world.desk.store, copied, (), world.desk.clock).step() == 0


def test_what_changed_while_no_hub_ran_is_taken_up_with_the_start(world: World) -> None:
    world.watch.step()
    world.desk.correlation.run_jobs()
    world.add("mine")
    assert world.watching().step() == 1
    assert world.desk.correlation.run_jobs().candidates > 0
    assert world.flags() == ("in variable catalogue",)


def test_a_catalogue_that_cannot_be_read_leaves_those_before_in_use_and_is_said(world: World) -> None:
    world.add("mine")
    assert [one.name for one in world.facts.catalogs.infos] == ["mine"]
    (world.folder / "bad.parquet").write_bytes(b"nothing")
    assert world.watch.step() == 0
    assert world.watch.health().state == "faulty"
    assert "bad.parquet cannot be read" in world.watch.health().alarms[0]
    assert [one.name for one in world.facts.catalogs.infos] == ["mine"]
    remove(world.folder, "bad")
    assert world.watch.step() == 1
    assert world.watch.health().alarms == ()


def test_an_evaluation_that_has_begun_keeps_the_catalogues_that_it_began_with(world: World) -> None:
    world.add("mine")
    before = world.facts.catalogs
    world.add("mine", kind="agn", ra_deg=140.0)
    assert before.all[0].near(np.array([130.1]), np.array([20.1]), 5.0).entries.kind.tolist() == ["variable"]
    assert world.facts.catalogs.all[0].near(np.array([140.0]), np.array([20.1]), 5.0).entries.kind.tolist() == ["agn"]
