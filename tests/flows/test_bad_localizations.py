"""Maps and positions that say too little, too much or nonsense: a stated result or one sentence, and no infinity in JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.bootstrap import create_database, open_hub
from hub.cli.app import main
from hub.model.coincidence import PairState
from hub.ports import SkymapReader
from hub.science import healpix
from hub.storage import coincidences, events, localizations
from tests.support import json_notices
from tests.support.skymaps import NUNIQ_HEADER, fits_bytes, gaussian_map
from tests.support.small_world import Ticking, settings_in
from tests.support.stories import BURST, FERMI, Story, fermi, superevent

HERE = (101.5, -20.25)
"""Where the burst of `json_notices.gbm` is, degrees."""

CONTAINMENTS = (0.5, 0.68, 0.9, 0.95)
"""Probabilities that missions state a radius for."""


def a_map(factor: float = 1.0, place: tuple[float, float] = HERE, sigma_deg: float = 4.0) -> bytes:
    """Return a map whose probability sums to some factor."""
    made = gaussian_map(*place, sigma_deg, top_nside=8, rounds=4)
    return _fits(healpix.uniq_of_ranges(made.lo, made.hi), factor * made.probdensity)


def _fits(uniq: Any, density: Any) -> bytes:
    columns = {"UNIQ": np.asarray(uniq, dtype=np.int64), "PROBDENSITY": np.asarray(density, dtype=float)}
    return fits_bytes(columns, NUNIQ_HEADER)


WHOLE_SKY = _fits(range(4, 16), np.full(12, 1.0 / (4.0 * np.pi)))
"""Of order 0: the same map as stands in for a place that nobody states, but sent by a mission."""

NORTH, SOUTH = (_fits([4 + pixel], [12.0 / (4.0 * np.pi)]) for pixel in (0, 11))
REFUSED = {
    "half.fits": (a_map(0.5), "the probability of the map sums to 0.5, not to 1"),
    "twice.fits": (a_map(2.0), "the probability of the map sums to 2, not to 1"),
    "empty.fits": (_fits([], []), "empty"),
    "zero.fits": (_fits(range(4, 16), np.zeros(12)), "the map is zero everywhere"),
}
"""Files that are no map, and why."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, (payload, _) in REFUSED.items():
        (tmp_path / name).write_bytes(payload)
    for name, payload in {"sky.fits": WHOLE_SKY, "north.fits": NORTH, "south.fits": SOUTH, "doubtful.fits": a_map(1.01)}.items():
        (tmp_path / name).write_bytes(payload)
    notice("gbm.json")
    return tmp_path


def notice(name: str, **changes: Any) -> str:
    """Write a notice with a circle, systematic errors included, and return its name."""
    Path(name).write_bytes(json_notices.as_bytes(json_notices.gbm(systematic_included=True, **changes)))
    return name


def strict(text: str) -> Any:
    """Return what a JSON text says, which must hold no infinity."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    found = strict(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def sentence(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "Traceback" not in err
    return err


OVERLAP, COMBINE = ("overlap",), ("combine", "--out", "both.fits")
JOINT = ("joint-far", "--far-gw", "1e-9", "--pair", "GRB-CBC", "--maps")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_map_gets_one_sentence_with_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = sentence(capsys, *OVERLAP, name, "gbm.json")
    assert f"the sky map {name} cannot be used: " in said
    assert REFUSED[name][1] in said


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", [JOINT, COMBINE], ids=["joint-far", "combine"])
def test_the_other_commands_say_the_same_of_it(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert "the sky map half.fits cannot be used: the probability" in sentence(capsys, *words, "half.fits", "gbm.json")
    assert not Path("both.fits").exists()


@pytest.mark.usefixtures("folder")
def test_a_map_that_is_not_quite_normalised_counts_as_normalised(capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.fits").write_bytes(a_map())
    doubtful, good = (answer(capsys, *OVERLAP, name, "gbm.json")["overlap"] for name in ("doubtful.fits", "good.fits"))
    assert doubtful == pytest.approx(good, rel=1e-12)
    assert doubtful > 1.0


@pytest.mark.usefixtures("folder")
def test_the_whole_sky_says_nothing_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, *OVERLAP, "sky.fits", "gbm.json")["overlap"] == pytest.approx(1.0, abs=1e-9)
    joint = answer(capsys, *JOINT, "sky.fits", "gbm.json")
    assert joint["far_spacetime_hz"] == pytest.approx(joint["far_time_hz"], rel=1e-9)
    both = answer(capsys, *COMBINE, "sky.fits", "gbm.json")
    assert both["overlap"] == pytest.approx(1.0, abs=1e-9)
    assert answer(capsys, *OVERLAP, "both.fits", "gbm.json")["overlap"] > 1.0


@pytest.mark.usefixtures("folder")
def test_maps_that_exclude_each_other_overlap_by_zero_and_have_no_rate_in_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, *OVERLAP, "north.fits", "south.fits")["overlap"] == 0.0
    joint = answer(capsys, *JOINT, "north.fits", "south.fits")
    assert joint["far_spacetime_hz"] is None
    assert "do not overlap" in joint["reason"]
    assert joint["far_time_hz"] > 0.0
    assert "exclude each other" in sentence(capsys, *COMBINE, "north.fits", "south.fits")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", [OVERLAP, JOINT, COMBINE], ids=["overlap", "joint-far", "combine"])
def test_a_radius_of_nothing_is_no_error_that_could_be_drawn(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    notice("point.json", ra_dec_error=0.0)
    said = sentence(capsys, *words, "point.json", "gbm.json")
    assert "point.json is a notice that carries no sky map and states no position with an error" in said


@pytest.mark.usefixtures("folder")
def test_the_same_radius_with_more_in_it_is_a_narrower_place(capsys: pytest.CaptureFixture[str]) -> None:
    overlaps, joints, areas = [], [], []
    for containment in CONTAINMENTS:
        name = notice(f"within{containment}.json", containment_probability=containment)
        overlaps.append(answer(capsys, *OVERLAP, name, name)["overlap"])
        joints.append(answer(capsys, *JOINT, name, name)["far_spacetime_hz"])
        areas.append(answer(capsys, *COMBINE, name, name)["area90_deg2"])
    # A Gaussian with probability c within r has sigma^2 = r^2 / (-2 ln(1 - c)); its overlap with itself is 1 / sigma^2.
    expected = [-np.log1p(-one) for one in CONTAINMENTS]
    assert overlaps == pytest.approx([overlaps[0] * one / expected[0] for one in expected], rel=0.02)
    assert joints == sorted(joints, reverse=True)
    assert areas == sorted(areas, reverse=True)


ODD_CONTAINMENTS = (0.0, 1.0, 1.5, -0.2)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("containment", ODD_CONTAINMENTS)
@pytest.mark.parametrize("words", [OVERLAP, JOINT, COMBINE], ids=["overlap", "joint-far", "combine"])
def test_a_containment_that_is_none_gets_one_sentence(
    words: tuple[str, ...], containment: float, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = notice("odd.json", containment_probability=containment)
    said = sentence(capsys, *words, odd, "gbm.json")
    assert f"odd.json states a containment of {containment}, which is no probability between 0 and 1" in said
    assert not Path("both.fits").exists()


# ------------------------------------------------------------------------------------------------------------ through the hub

SUPEREVENT = "S260301b"


@pytest.fixture
def story(tmp_path: Path, skymaps: SkymapReader) -> Iterator[Story]:
    settings = settings_in(tmp_path)
    with create_database(settings) as store, open_hub(settings, store, clock=Ticking(), skymaps=skymaps) as hub:
        yield Story(hub)


def place_of(story: Story, event_id: str) -> str | None:
    with story.hub.store.reading() as session:
        event = events.get(session, event_id)
    assert event is not None
    return event.localization_id


@pytest.mark.parametrize("name", REFUSED)
def test_an_update_whose_map_is_none_keeps_the_place_before_it(story: Story, name: str) -> None:
    story.take(superevent(SUPEREVENT), fermi())
    before = place_of(story, SUPEREVENT)
    story.take(superevent(SUPEREVENT, "UPDATE", issued_s=900.0, fits=REFUSED[name][0]))
    assert before is not None
    assert place_of(story, SUPEREVENT) == before
    assert story.pairs()[FERMI, SUPEREVENT].state is PairState.OPEN
    story.check()


@pytest.mark.parametrize("containment", ODD_CONTAINMENTS)
def test_a_notice_with_a_containment_that_is_none_goes_on_with_that_of_its_mission(story: Story, containment: float) -> None:
    """It cannot be sent back as a file can: what is assumed stands in the remarks."""
    story.take(superevent(SUPEREVENT), fermi(containment_probability=containment))
    drawn = place_of(story, FERMI)
    assert drawn is not None
    with story.hub.store.reading() as session:
        place = localizations.get(session, drawn)
    assert place is not None
    said = [one for one in place.remarks if "which is no probability between 0 and 1" in one]
    assert len(said) == 1
    assert said[0].endswith("68.3% is assumed.")
    assert story.pairs()[FERMI, SUPEREVENT].state is PairState.OPEN
    assert story.pairs()[FERMI, SUPEREVENT].score("overlap") > 1.0
    story.check()


@pytest.mark.parametrize("order", [0, 1], ids="order {}".format)
def test_an_update_that_puts_the_event_anywhere_takes_the_place_of_the_direction_before_it(story: Story, order: int) -> None:
    """A mission that withdraws its direction says so by a flat map, whatever its resolution."""
    n_pixels = 12 * 4**order
    anywhere = _fits(range(4 * 4**order, 4 * 4**order + n_pixels), np.full(n_pixels, 1.0 / (4.0 * np.pi)))
    story.take(superevent(SUPEREVENT), fermi())
    before = place_of(story, SUPEREVENT)
    story.take(superevent(SUPEREVENT, "UPDATE", issued_s=900.0, fits=anywhere))
    assert place_of(story, SUPEREVENT) not in (None, before)
    pair = story.pairs()[FERMI, SUPEREVENT]
    (overlap,) = (one for one in pair.scores if one.statistic == "overlap")
    assert (overlap.value, overlap.inputs["reason"]) == (
        1.0,
        f"no spatial information: the localization of {SUPEREVENT} is the whole sky",
    )
    story.take(superevent(SUPEREVENT, "UPDATE", issued_s=1800.0))
    assert place_of(story, SUPEREVENT) == before
    story.check()


def test_every_page_about_odd_places_is_json_without_infinity(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = a_map(place=BURST[:2])
    away = a_map(place=(330.0, 60.0))
    story.take(superevent(SUPEREVENT, fits=first), fermi())
    for number, fits in enumerate((WHOLE_SKY, away, NORTH, a_map(1.01, place=BURST[:2])), 2):
        story.take(superevent(SUPEREVENT, "UPDATE", issued_s=1_000.0 * number, fits=fits))
    for number, changes in enumerate(({"place": (*BURST[:2], 0.0)}, *({"containment_probability": one} for one in CONTAINMENTS))):
        story.take(fermi(issued_s=10_000.0 + number, record_number=10 + number, **changes))
    name = story.pairs()[FERMI, SUPEREVENT].coincidence_id
    with story.hub.store.reading() as session:
        versions = coincidences.history(session, name)
    overlaps = [one.score("overlap") for one in versions]
    assert overlaps[1] == 1.0  # the whole sky
    assert 0.0 <= min(one for one in overlaps if one is not None) < 1e-4  # far away
    assert all(np.isfinite(score.value) for one in versions for score in one.scores if score.value is not None)
    story.check()
    data = ("--data-dir", str(tmp_path))
    for words in (
        ("coinc", "list", "--json"),
        ("coinc", "explain", name, "--json"),
        *(("diff", SUPEREVENT, str(number), str(number + 1), "--json") for number in range(1, 5)),
        *(("diff", FERMI, str(number), str(number + 1), "--json") for number in range(1, 6)),
    ):
        assert main([*data, *words]) == 0, words
        for line in capsys.readouterr().out.splitlines():
            strict(line)
    assert main([*data, "diff", SUPEREVENT, "2", "3"]) == 0
    assert "inf" not in capsys.readouterr().out.replace("information", "")
