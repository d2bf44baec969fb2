import json

import pytest
from typer.main import get_command

from hub.cli.app import app, main


def verbs(command, words=()):
    inner_verbs = getattr(command, "commands", {})
    if inner_verbs:
        for name, inner in inner_verbs.items():
            yield from verbs(inner, (*words, name))
    else:
        yield words, command


@pytest.mark.parametrize(
    ("words", "command"), list(verbs(get_command(app))), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_verb_has_the_flag(words, command) -> None:
    assert any("--json" in option.opts for option in command.params), " ".join(words)


@pytest.mark.parametrize("words", [["config", "check"], ["config", "show"], ["db", "upgrade"], ["init", "mine.toml"]])
def test_what_reports_a_deed_reports_it_as_json_too(words, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMHUB_API__PORT", "0")  # the usual one may be in use
    assert main([*words, "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)
