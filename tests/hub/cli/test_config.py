import json
import shutil
import socket
import threading
import tomllib
from pathlib import Path

import pytest

from hub import resources
from hub.cli.app import main
from hub.config import Settings
from hub.resources import read_text
from tests.support.web import web


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, tuple[object, str]]:
    assert main([*words, "config", "show", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["key"]: (row["value"], row["origin"]) for row in rows}


def test_show_prints_every_setting_with_its_origin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("x.toml").write_text("[api]\nport = 9\n")
    monkeypatch.setenv("MMHUB_API__HOST", "::1")
    settings = shown(capsys, "--config", "x.toml", "--data-dir", "here")
    plain = Settings().model_dump(exclude={"sources", "destinations", "networks"})
    assert {f"{s}.{k}" for s, table in plain.items() for k in table} <= set(settings)
    assert settings["api.port"] == (9, "x.toml")
    assert settings["api.host"] == ("::1", "environment MMHUB_API__HOST")
    assert settings["hub.data_dir"] == ("here", "command line")


def test_show_as_a_table_names_origins_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show"]) == 0
    plain = capsys.readouterr().out
    assert main(["config", "show", "--origin"]) == 0
    assert "conf/default.toml" in capsys.readouterr().out
    assert "conf/default.toml" not in plain
    assert "api.port" in plain


def test_bad_setting_is_one_line_that_names_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmhub.toml").write_text("[api]\nprot = 1\n")
    for words in (["config", "show"], ["config", "check"], ["decode", "x"], ["db", "upgrade"]):
        assert main(words) == 1
        out, err = capsys.readouterr()
        assert (out, err) == ("", "mmhub: api.prot (mmhub.toml) is no setting of the hub\n")


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API have any port: the usual one may be in use on a machine where tests run."""
    monkeypatch.setenv("MMHUB_API__PORT", "0")


@pytest.mark.usefixtures("free_port")
def test_check_tells_where_data_goes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", "deep/folder", "config", "check"]) == 0
    assert str(Path("deep/folder").resolve()) in capsys.readouterr().out
    assert list(Path("deep/folder").iterdir()) == []


def test_check_warns_of_the_authority_that_every_new_hub_has_once_there_is_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    live = '[destinations.live]\nkind = "vtp"\nport = 0\nallow = ["127.0.0.1"]\n'
    for settings, is_warned in (
        ("", False),
        (live, True),
        (live + "enabled = false\n", False),
        (f'[hub]\nauthority = "observatory.example/hub"\n{live}', False),
        (f'[hub]\nauthority = "Example.org/mmhub"\n{live}', True),
    ):
        Path("mmhub.toml").write_text(f"[api]\nport = 0\n{settings}")
        assert main(["config", "check"]) == 0
        said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("hub.authority: ")]
        assert len(said) == is_warned
        assert all("refuse each other's events: set yours before destinations.live" in line for line in said)


def test_check_refuses_a_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert main(["--data-dir", "file/inside", "config", "check"]) == 1
    assert capsys.readouterr().out.startswith("hub.data_dir: the hub cannot write into file/inside")


@pytest.mark.usefixtures("free_port")
def test_check_tries_each_part_and_says_what_to_fix(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        port = taken.getsockname()[1]
        Path("mmhub.toml").write_text(
            "[hub]\nauthority = 'observatory.example'\n"
            f"[sources.kafka]\nkind = 'kafka'\ntopics = ['t']\ngroup_id = 'g'\n"
            f"bootstrap_servers = '127.0.0.1:{port}'\nsecurity = 'plaintext'\n"
            f"[sources.away]\nkind = 'vtp-subscriber'\nhost = '127.0.0.1'\nport = {port}\n"
            "[sources.off]\nkind = 'folder'\npath = 'x'\nenabled = false\n"
        )
        assert main(["config", "check", "--json"]) == 1
    said = {one["part"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name for name, one in said.items() if not one["fine"]} == {"sources.kafka", "sources.away"}
    assert f"127.0.0.1:{port}" in said["sources.away"]["says"][0]
    assert said["sources.off"]["says"] == ["is switched off (enabled = false)"]
    assert set(said) == {
        *("hub.data_dir", "storage", "rules", "ranking", "policy", "api"),
        *("sources.kafka", "sources.away", "sources.off", "destinations.voevents", "networks.simulated"),
    }


@pytest.mark.usefixtures("free_port")
def test_check_prints_the_sum_of_the_budget_for_people_and_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == 0
    printed = [one.removeprefix("rules: ") for one in capsys.readouterr().out.splitlines() if one.startswith("rules: ")]
    assert main(["config", "check", "--json"]) == 0
    said = {one["part"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert said["rules"]["says"] == printed
    line, *shares = printed
    budget = tomllib.loads(read_text("conf/coincidence.toml"))["budget"]
    given = float(line.partition("; ")[2].partition(" of ")[0])
    assert sum(row["per_month"] for row in budget["share"]) == pytest.approx(given)
    assert given <= budget["false_per_month"]
    assert sorted(one.partition(" (")[0] for one in shares) == sorted(row["rule"] for row in budget["share"])
    assert f" of {budget['false_per_month']:g} false announcements a month are given to " in line


@pytest.mark.usefixtures("free_port")
def test_check_says_what_each_rule_of_the_follow_up_policy_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [rule["name"] for rule in tomllib.loads(read_text("conf/policy.toml"))["rule"]]
    assert main(["config", "check", "--json"]) == 0
    said = {one["part"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    head, *lines = said["policy"]["says"]
    assert head == f"version 1 has {len(names)} rules"
    assert [line.partition(" (")[0] for line in lines] == names
    shutil.copytree(Path(resources.__file__).parent.parent / "conf", tmp_path / "tree" / "conf")
    file = tmp_path / "tree" / "conf" / "policy.toml"
    file.write_text(file.read_text().replace('sites = ["CTIO"', 'sites = ["Ctio"'))
    monkeypatch.setattr(resources, "_root", lambda: tmp_path / "tree")
    assert main(["config", "check"]) == 1
    assert "policy: the allocation 'simulated' of the follow-up policy names the site 'Ctio'" in capsys.readouterr().out


@pytest.mark.usefixtures("free_port")
def test_check_refuses_shares_above_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(Path(resources.__file__).parent.parent / "conf", tmp_path / "tree" / "conf")
    rules = tmp_path / "tree" / "conf" / "coincidence.toml"
    rules.write_text(rules.read_text().replace("\nfalse_per_month = 2.0", "\nfalse_per_month = 0.1"))
    monkeypatch.setattr(resources, "_root", lambda: tmp_path / "tree")
    for words in (["config", "check"], ["config", "check", "--json"]):
        assert main(words) == 1
        said = capsys.readouterr().out
        assert "the shares of the budget sum to" in said
        assert "the budget is 0.1" in said


def test_each_fault_has_a_line_that_names_its_part_once(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        Path("mmhub.toml").write_text(
            "[hub]\nauthority = 'observatory.example'\n"
            "[sources.gcn]\nkind = 'gcn-kafka'\ntopics = ['t']\ngroup_id = 'g'\nclient_id = 'me'\n"
            f"[sources.authors]\nkind = 'vtp-receiver'\nport = {taken.getsockname()[1]}\n"
            "[sources.nameless]\nkind = 'kafka'\ntopics = ['t']\nbootstrap_servers = '127.0.0.1:9'\nsecurity = 'plaintext'\n"
        )
        assert main(["config", "check"]) == 1
    said = capsys.readouterr().out.splitlines()
    (gcn,) = [line for line in said if "gcn" in line]
    assert gcn.startswith("sources.gcn: the client secret is missing: set MMHUB_SOURCES__GCN__CLIENT_SECRET")
    assert next(line for line in said if "nameless" in line).startswith("sources.nameless: group_id is empty")
    assert len([line for line in said if line.startswith("sources.authors: ")]) == 2  # nobody is allowed, and the port is taken


def checked(capsys: pytest.CaptureFixture[str], settings: str) -> tuple[int, dict[str, list[str]]]:
    """Return the exit code of a check, and what it says of each part that is not fine."""
    Path("mmhub.toml").write_text(settings)
    code = main(["config", "check", "--json"])
    said = map(json.loads, capsys.readouterr().out.splitlines())
    return code, {one["part"]: one["says"] for one in said if not one["fine"]}


@pytest.mark.usefixtures("free_port")
@pytest.mark.parametrize(
    ("settings", "part", "sentence"),
    [
        ("[fetch]\nenabled = true\n", "fetch.hosts", "no host is named that may be asked: name some"),
        ("[fetch]\nenabled = true\nhosts = ['localhost']\n", "fetch.hosts", "not of the public internet: name a server"),
        ("[intake]\nschema_registry = 'http://r.example.org'\n", "intake.schema_registry", "should begin with https://"),
        ("[intake]\nschema_registry = 'https://r:x'\n", "intake.schema_registry", "is no address of a server"),
        ("[api]\nhost = '192.0.2.1'\n", "api", "set an address of this machine"),
        ("[sources.f]\nkind = 'folder'\npath = '{here}/file'\n", "sources.f", "/file is no folder: name a folder in path"),
        ("[sources.f]\nkind = 'folder'\npath = '/proc/none/in'\n", "sources.f", "write into /proc, or name another"),
        ("[destinations.f]\nkind = 'folder'\npath = '/proc/none'\n", "destinations.f", "write into /proc, or name another"),
        ("[destinations.f]\nkind = 'folder'\npath = '{here}/file/x'\n", "destinations.f", "/file is no folder"),
    ],
)
def test_check_finds_what_run_would_stumble_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, settings: str, part: str, sentence: str
) -> None:
    Path("file").touch()
    code, faults = checked(capsys, settings.format(here=tmp_path))
    assert code == 1
    ((found,),) = [faults.pop(part)]
    assert sentence in found
    assert "\n" not in found
    assert faults == {}


def test_check_leaves_no_folder_behind(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMHUB_API__PORT", "0")
    code, faults = checked(capsys, "[sources.f]\nkind = 'folder'\npath = 'deep/in'\n")
    assert (code, faults) == (0, {})
    assert list(Path("mmhub-data").iterdir()) == []


def hang_up(door: socket.socket) -> None:
    door.accept()[0].close()


def test_check_refuses_a_port_that_another_program_has(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        threading.Thread(target=hang_up, args=[taken], daemon=True).start()
        code, faults = checked(capsys, f"[api]\nport = {taken.getsockname()[1]}\n")
    assert code == 1
    assert "set another port, or stop the program that has it" in faults["api"][0]


def test_check_is_content_with_the_hub_that_has_the_port(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with web(tmp_path) as server:
        server.pages["/api/v1/ready"] = (200, {}, b'{"status": "ready"}')
        assert checked(capsys, f"[api]\nport = {server.port}\n") == (0, {})


def test_hosts_are_names_and_no_addresses_of_pages(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmhub.toml").write_text("[fetch]\nenabled = true\nhosts = ['https://gracedb.ligo.org/']\n")
    assert main(["config", "check"]) == 1
    said = capsys.readouterr().err
    assert "fetch.hosts" in said
    assert "without scheme, port or path" in said


def test_init_writes_a_file_that_changes_nothing_and_lists_everything(capsys: pytest.CaptureFixture[str]) -> None:
    before = shown(capsys)
    assert main(["init"]) == 0
    assert "mmhub.toml" in capsys.readouterr().out
    written = Path("mmhub.toml").read_text()
    assert {key: value for key, (value, _) in shown(capsys).items()} == {key: value for key, (value, _) in before.items()}
    uncommented = "".join(
        line.removeprefix("#") if "=" in line and line[1:2].isalpha() else line for line in written.splitlines(True)
    )
    said = tomllib.loads(uncommented)
    assert said.pop("destinations") == {"voevents": {"kind": "folder", "path": "voevents"}}
    assert said.pop("networks") == {"simulated": {"kind": "simulated"}}
    assert said == Settings().model_dump(mode="json", exclude={"sources", "destinations", "networks"})


def test_init_overwrites_only_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmhub.toml").write_text("[api]\nport = 9\n")
    assert main(["init"]) == 1
    assert "is there already; --force overwrites it" in capsys.readouterr().err
    assert main(["init", "--force"]) == 0
    assert "port = 9\n" not in Path("mmhub.toml").read_text()


def test_init_into_a_missing_folder_fails_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "none/mmhub.toml"]) == 1
    assert capsys.readouterr().err == "mmhub: cannot write none/mmhub.toml: No such file or directory\n"


def test_kinds_are_listed_with_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "kinds", "--json"]) == 0
    found = {(one["part"], one["kind"]): one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {("source", "gcn-kafka"), ("source", "kafka"), ("source", "vtp-receiver"), ("destination", "vtp")} <= found.keys()
    for one in found.values():
        assert one["summary"]
        assert all(option["meaning"] for option in one["options"]), one["kind"]
    assert main(["config", "kinds", "pigeon"]) == 3
