"""``mmhub circulars`` and ``mmhub annotation``: what a person types, and what a stranger's text must not do to the terminal."""

import json

import pytest

from hub.cli.app import main
from tests.support.json_notices import as_bytes, circular

EVIL = "a redshift z = 0.5\x1b[2J\x07 of the host\nnext line\x1b]0;title\x07"


@pytest.fixture
def run(tmp_path, capfd):
    (tmp_path / "circular.json").write_bytes(as_bytes(circular(body=EVIL, subject="GRB 260301A: \x1b[31mred")))

    def call(*words):
        code = main(["--data-dir", str(tmp_path / "data"), *words])
        out, err = capfd.readouterr()
        return code, out, err

    assert call("ingest", "--quiet", str(tmp_path / "circular.json"))[0] == 0
    return call


def records(out):
    return [json.loads(line) for line in out.splitlines()]


def test_circulars_are_searched_and_shown_without_control_characters(run):
    code, out, _ = run("circulars", "search", "HOST", "redshift", "--event", "grb260301a", "--since", "2026-01-01")
    assert code == 0
    assert "40001" in out
    shown = run("circulars", "show", "40001")[1]
    assert "next line" in shown
    for text in (out, shown):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert run("circulars", "search", "kangaroo")[0] == 3
    assert records(run("circulars", "show", "40001", "--json")[1])[0]["body"] == EVIL


def test_a_number_that_no_circular_has_and_a_time_that_is_none_get_a_sentence(run):
    code, _, err = run("circulars", "show", "5")
    assert (code, err.strip()) == (3, "mmhub: there is no circular 5")
    code, _, err = run("circulars", "search", "--since", "yesterday")
    assert code == 1
    assert "--since is a UTC time" in err


def test_a_proposal_is_accepted_in_a_persons_name(run):
    (proposal,) = records(run("annotation", "list", "--state", "proposed", "--json")[1])
    name = proposal["annotation_id"]
    code, _, err = run("annotation", "accept", name)
    assert code == 2
    assert "--by" in err
    code, out, _ = run("annotation", "accept", name, "--by", "J. Doe", "--note", "Table 2", "--json")
    assert code == 0
    assert (records(out)[0]["state"], records(out)[0]["decided_by"], records(out)[0]["note"]) == ("accepted", "J. Doe", "Table 2")
    assert run("annotation", "list", "--state", "proposed")[0] == 3
    assert run("annotation", "reject", name, "--by", "J. Doe")[0] == 0
    shown = records(run("annotation", "show", name, "--json")[1])[0]
    assert [one["state"] for one in shown["decisions"]] == ["accepted", "rejected"]


def test_junk_gets_a_sentence(run):
    for words in (["show", "x"], ["accept", "x", "--by", "y"], ["list", "--kind", "x"], ["list", "--state", "x"]):
        code, _, err = run("annotation", *words)
        assert code in (1, 3)
        assert err.startswith("mmhub: there is no")
