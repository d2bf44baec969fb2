import itertools
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from hub import resources
from hub.config import DEFAULT_FILE, Settings, load
from hub.errors import ConfigError


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def origins() -> dict[str, tuple[object, str]]:
    return {key: (value, origin) for key, value, origin in load().show_origin()}


_COMMON = {"enabled", "group", "format", "subjects", "relay", "relay_roles", "relay_untrusted", "echo_within_s"}


def test_default_file_lists_every_key_with_the_default_of_the_code() -> None:
    written = tomllib.loads(resources.read_text(DEFAULT_FILE))
    common = {"sources": True, "destinations": {"voevents": _COMMON}, "networks": {"simulated": {"enabled", "group", "live"}}}
    assert written == Settings().model_dump(mode="json", exclude=common)


def test_default_file_explains_every_key() -> None:
    lines = resources.read_text(DEFAULT_FILE).splitlines()
    for above, line in itertools.pairwise(lines):
        if re.match(r"\w+ =", line) and not line.startswith(("kind", "path")):
            assert above.startswith("# "), line


def test_sections_are_frozen() -> None:
    settings = load().settings
    for name in Settings.model_fields:
        section = getattr(settings, name)
        if isinstance(section, dict):
            continue
        assert isinstance(section, BaseModel)
        key = next(iter(type(section).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, key, getattr(section, key))


def test_later_sources_win() -> None:
    Path("a.toml").write_text("[api]\nport = 1\nhost = '::1'\n")
    Path("b.toml").write_text("[api]\nport = 2\n")
    api = load([Path("a.toml"), Path("b.toml")]).settings.api
    assert (api.host, api.port) == ("::1", 2)
    assert load([Path("b.toml"), Path("a.toml")]).settings.api.port == 1


def test_local_file_counts_only_where_none_is_named() -> None:
    Path("mmhub.toml").write_text("[api]\nport = 7\n")
    Path("other.toml").write_text("[api]\nhost = 'localhost'\n")
    assert load().settings.api.port == 7
    assert load([Path("other.toml")]).settings.api.port == 8765


def test_environment_wins_over_files_and_the_command_line_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mmhub.toml").write_text("[api]\nport = 7\nhost = '::1'\n[logging]\nlevel = 'error'\n")
    monkeypatch.setenv("MMHUB_API__PORT", "9")
    monkeypatch.setenv("MMHUB_FOLLOWUP__DRY_RUN", "true")
    loaded = load(overrides={"hub.data_dir": "elsewhere"})
    shown = {key: (value, origin) for key, value, origin in loaded.show_origin()}
    assert loaded.settings.followup.dry_run is True
    assert shown["api.port"] == (9, "environment MMHUB_API__PORT")
    assert shown["api.host"] == ("::1", "mmhub.toml")
    assert shown["hub.data_dir"] == ("elsewhere", "command line")
    assert shown["hub.authority"] == ("example.org/mmhub", DEFAULT_FILE)
    plain = {"sources", "destinations", "networks"}
    assert {f"{s}.{k}" for s, table in Settings().model_dump(exclude=plain).items() for k in table} < set(shown)
    assert shown["destinations.voevents.kind"] == ("folder", DEFAULT_FILE)
    assert shown["destinations.voevents.format"] == ("voevent", "built-in default")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[api]\nprt = 1\n", r"api\.prt \(mmhub\.toml\) is no setting of the hub"),
        ("[apy]\nport = 1\n", r"no section \[apy\]; the sections are \[hub\], "),
        ("port = 1\n", "port stands outside a section"),
        ("[api]\nport = 'x'\n", r"api\.port \(mmhub\.toml\) should be a valid integer, not 'x'"),
        ("[api]\nport = 70000\n", r"api\.port .* less than or equal to 65535, not 70000"),
        ("[intake]\npoll_s = nan\n", r"intake\.poll_s"),
        ("[followup]\nnetwork = 'lco'\n", r"followup\.network .* is no setting of the hub"),
        ("[hub]\nauthority = 'ivo://x'\n", r"hub\.authority"),
        ("[api\n", r"mmhub\.toml is not valid TOML"),
        ("[storage]\nurl = 'postgresql://me:geheim@host/db'\n", "storage.url .* set MMHUB_STORAGE__URL instead$"),
        (
            "[sources.my-gcn]\nkind = 'gcn-kafka'\nclient_secret = 'geheim'\n",
            r"set MMHUB_SOURCES__MY_GCN__CLIENT_SECRET instead, or name a file .* sources\.my-gcn\.client_secret_file$",
        ),
    ],
)
def test_bad_file_is_refused_with_a_sentence_that_names_the_key(text: str, sentence: str) -> None:
    Path("mmhub.toml").write_text(text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        load()
    assert "geheim" not in str(caught.value)


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load([Path("none.toml")])
    Path("latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.toml"):
        load([Path("latin.toml")])


@pytest.mark.parametrize("name", ["MMHUB_API__PRT", "MMHUB_NONE__PORT", "mmhub_api__prt", "MMHUB_API__PORT__X"])
def test_unknown_variable_is_refused_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match=f"{name} is no setting"):
        load()


def test_variables_of_the_tests_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMHUB_TEST_REQUIRE", "all")
    monkeypatch.setenv("MMHUB_RECORDED", "/nowhere")
    assert load().settings == Settings()


def test_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMHUB_API__PORT", "http")
    with pytest.raises(ConfigError, match=r"api\.port \(environment MMHUB_API__PORT\) should be a valid integer, not 'http'"):
        load()


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMHUB_STORAGE__URL", "postgresql+psycopg://me:geheim@host/db")
    assert load().settings.storage_url == "postgresql+psycopg://me:geheim@host/db"
    assert origins()["storage.url"][0] == "postgresql+psycopg://me:[redacted]@host/db"


def test_derived_paths_lie_in_the_data_folder() -> None:
    settings = load(overrides={"hub.data_dir": "d"}).settings
    assert settings.storage_url == "sqlite:///d/hub.sqlite"
    assert settings.announce_folder == Path("d/voevents")


def test_a_secret_in_a_file_is_refused_and_one_in_the_environment_is_never_shown(tmp_path, monkeypatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[sources.my-gcn]\nkind = "gcn-kafka"\nclient_secret = "canary"\n')
    with pytest.raises(ConfigError, match="MMHUB_SOURCES__MY_GCN__CLIENT_SECRET"):
        load([file])
    file.write_text('[sources.my-gcn]\nkind = "gcn-kafka"\n')
    monkeypatch.setenv("MMHUB_SOURCES__MY_GCN__CLIENT_SECRET", "canary")
    loaded = load([file])
    assert loaded.settings.sources["my-gcn"].options == {"client_secret": "canary"}
    assert "canary" not in str(loaded.show_origin())
    assert "canary" not in repr(loaded.settings)


def test_a_part_takes_keys_from_files_and_from_the_environment(tmp_path, monkeypatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[destinations.out]\nkind = "kafka"\nprefix = "hub"\n[destinations.voevents]\nenabled = false\n')
    monkeypatch.setenv("MMHUB_DESTINATIONS__OUT__SUBJECTS", '["retraction"]')
    monkeypatch.setenv("MMHUB_DESTINATIONS__OUT__RELAY", "true")
    settings = load([file]).settings
    out = settings.destinations["out"]
    assert (out.kind, out.subjects, out.relay, out.options) == ("kafka", ("retraction",), True, {"prefix": "hub"})
    assert settings.destinations["voevents"].enabled is False
    assert settings.destinations["voevents"].kind == "folder"


def test_a_part_may_stand_in_the_environment_alone(monkeypatch) -> None:
    monkeypatch.setenv("MMHUB_SOURCES__MY_DROP__KIND", "folder")
    monkeypatch.setenv("MMHUB_SOURCES__MY_DROP__PATH", "in")
    assert load().settings.sources["my-drop"].options == {"path": "in"}
    monkeypatch.setenv("MMHUB_SOURCES__MY_DRIP__PATH", "in")
    with pytest.raises(ConfigError, match=r"sources\.my-drip\.kind is missing"):
        load()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[sources]\nkind = 'x'\n", "holds one table for each name"),
        ("[sources.gcn]\ntopics = []\n", "sources.gcn.kind is missing"),
        ("[sources.GCN]\nkind = 'x'\n", "sources.GCN"),
        ("[destinations.out]\nkind = 'x'\nformat = 'pdf'\n", "destinations.out.format"),
    ],
)
def test_a_bad_part_is_named(text: str, sentence: str, tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load([file])
