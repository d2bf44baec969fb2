"""The example of docs/how-to/add-a-statistic.md, installed beside the hub and used by it."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.model.coincidence import Coincidence
from hub.science.arithmetic import Explained
from hub.science.ranking import Ranking
from hub.services import queries
from hub.services.ranking_plugins import ranking_from
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import Desk
from tests.support.words import alerts, gaussian_map, localization, notice

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "add-a-statistic.md").read_text()
HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
NIGHTS = [
    {"object_id": b"1", "reliability": 0.95, "days": 0.4 + 0.6 * day, "flux_njy": 100_000.0 * 0.6**day, "band": b"g"}
    for day in range(3)
]


def block(language: str, first: str) -> str:
    """Return the code of the page that begins with a line."""
    (found,) = re.findall(rf"```{language}\n{re.escape(first)}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of the page in a folder of its own, as an installer would leave it there."""
    folder = tmp_path / "site"
    (folder / "blueness-1.0.dist-info").mkdir(parents=True)
    (folder / "blueness.py").write_text(block("python", "# blueness.py"))
    points = tomllib.loads(block("toml", "# pyproject.toml of your package"))["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in rows.items()) for group, rows in points.items()]
    (folder / "blueness-1.0.dist-info" / "entry_points.txt").write_text("\n".join(lines))
    (folder / "blueness-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: blueness\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("blueness", None)


def settings() -> dict[str, dict]:
    tables = re.findall(r"```toml\n(\[ranking\]\n.*?)```", PAGE, re.DOTALL)
    (found,) = [tomllib.loads(one)["ranking"] for one in tables if "use = " in one]
    return found


def judged(store: Store, ranking: Ranking) -> tuple[Coincidence, dict[str, Explained]]:
    desk = Desk(store, ranking=ranking)
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*NIGHTS))
    (pair,) = desk.pairs()
    return pair, explained(store, pair)


def explained(store: Store, pair: Coincidence) -> dict[str, Explained]:
    with store.reading() as session:
        _, lines = queries.explained_coincidence(session, pair.coincidence_id)
    return {line.score.statistic: line for line in lines}


def test_the_example_counts_with_its_weight_and_is_explained(store: Store, package: Path) -> None:
    pair, lines = judged(store, ranking_from(**settings()))
    blue = next(one for one in pair.scores if one.statistic == "blueness")
    assert blue.inputs == {"n_blue": 3, "n": 3, "plugin": "blueness"}
    assert blue.value == pytest.approx(0.559615788)
    assert "blueness +0.28: 3 of 3 detections are blue" in pair.reasons
    assert lines["blueness"].agrees
    assert lines["rank"].agrees
    assert "(0.5 x blueness)" in lines["rank"].arithmetic
    assert not [line for line in lines.values() if line.agrees is False]


def test_without_its_package_a_stored_number_is_shown_and_that_nobody_can_compute_it(
    store: Store, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, _ = judged(store, ranking_from(**settings()))
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(package)])
    line = explained(store, pair)["blueness"]
    assert line.agrees is None
    assert line.arithmetic == "by the plug-in 'blueness', which is not installed here"


def config(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "own.toml"
    file.write_text(text)
    return ["--config", str(file), "--data-dir", str(tmp_path / "data"), "config", "check", "--json"]


def ranking_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = {one["part"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    return said["ranking"]["says"][0]


def test_config_check_lists_terms_versions_weights_and_plug_ins(
    tmp_path: Path, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(config(tmp_path, "[api]\nport = 0\n"))
    said = ranking_line(capsys)
    assert said.startswith("the rank is the sum of sky version 1, timing version ")
    assert said.endswith("; installed and not used: blueness")
    main(config(tmp_path, "[api]\nport = 0\n[ranking]\nuse = { blueness = 'blueness' }\nweights = { blueness = 0.5, sky = 0 }\n"))
    said = ranking_line(capsys)
    assert "sky version 1 x 0, " in said
    assert "blueness (blueness) version 1 x 0.5" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("weights = { skye = 0.5 }", "[ranking.weights] skye: there is no such statistic; there are activity, "),
        ("weights = { sky = -1 }", "ranking.weights"),
        ("use = { sky = 'unheard' }", "[ranking.use] sky: there is no ranking plug-in 'unheard' among those that are installed"),
        ("use = { rank = 'blueness' }", "[ranking.use] rank: the hub has another number of this name"),
        ("use = { 'No Name' = 'blueness' }", "ranking.use"),
    ],
)
def test_what_is_no_ranking_is_refused_with_a_sentence(
    tmp_path: Path, package: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    assert main(config(tmp_path, f"[ranking]\n{text}\n")) == 1
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("blueness = nowhere:STATISTIC", "cannot be loaded: ModuleNotFoundError"),
        ("blueness = blueness:BLUE", "is no hub.science.ranking.Statistic"),
        ("blueness = blueness:NOTHING", "cannot be loaded: AttributeError"),
    ],
)
def test_a_plug_in_that_is_none_is_refused_by_name(
    tmp_path: Path, package: Path, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    (package / "blueness-1.0.dist-info" / "entry_points.txt").write_text(f"[mmhub.ranking]\n{line}\n")
    assert main(config(tmp_path, "[ranking]\nuse = { sky = 'blueness' }\n")) == 1
    err = capsys.readouterr().err
    assert "[ranking.use] sky: the ranking plug-in 'blueness'" in err
    assert says in err
