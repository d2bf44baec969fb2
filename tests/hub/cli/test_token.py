"""Tokens on the command line: make, list, revoke."""

import json

import pytest

from hub.cli.app import main
from hub.services import tokens
from hub.storage.engine import open_store


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *words, code=0):
    assert main(["--data-dir", "data", "token", *words]) == code, capsys.readouterr()
    return capsys.readouterr()


def listed(capsys):
    return [json.loads(line) for line in run(capsys, "list", "--json").out.splitlines()]


def test_a_token_is_printed_once_and_works(folder, capsys):
    said = run(capsys, "create", "robot", "--scope", "notice:submit", "--scope", "read", "--expires", "30d")
    secret = said.out.strip()
    assert secret.startswith("mmh_")
    assert "shown only now" in said.err
    assert secret not in said.err
    store = open_store(f"sqlite:///{folder}/data/hub.sqlite")
    token = tokens.authenticate(store, secret, now=tokens.listing(store)[0].created_at)
    store.close()
    assert token.expires_at.minus(token.created_at) == 30 * 86_400
    assert secret not in run(capsys, "list").out
    (body,) = listed(capsys)
    assert (body["name"], body["scopes"], body["state"], body["is_trusted"]) == (
        "robot",
        ["notice:submit", "read"],
        "valid",
        False,
    )


def test_with_json_everything_is_one_object(folder, capsys):
    body = json.loads(run(capsys, "create", "robot", "--scope", "notice:submit", "--trusted", "--json").out)
    assert body["token"].startswith("mmh_")
    assert body["is_trusted"] is True
    assert {key: value for key, value in body.items() if key != "token"} == listed(capsys)[0]


def test_a_token_is_revoked_by_name_or_id(folder, capsys):
    for name in ("one", "two"):
        run(capsys, "create", name, "--scope", "read")
    run(capsys, "revoke", "one")
    run(capsys, "revoke", listed(capsys)[0]["token_id"])
    assert [body["state"] for body in listed(capsys)] == ["revoked", "revoked"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("create", "robot"), 2, "--scope"),
        (("create", "robot", "--scope", "everything"), 2, "everything"),
        (("create", "robot", "--scope", "read", "--expires", "soon"), 2, "is no time"),
        (("create", "robot", "--scope", "read", "--expires", "9999w"), 1, "ten years"),
        (("create", "robot", "--scope", "read", "--trusted"), 1, "notice:submit"),
        (("create", "a/b", "--scope", "read"), 1, "the name of a token"),
        (("list",), 1, "there is no database"),
        (("revoke", "robot"), 1, "there is no database"),
    ],
)
def test_what_cannot_be_is_one_sentence(folder, capsys, words, code, said):
    assert said in run(capsys, *words, code=code).err


def test_names_that_are_taken_or_unknown_are_said(folder, capsys):
    run(capsys, "create", "robot", "--scope", "read")
    assert "there is a token robot already" in run(capsys, "create", "robot", "--scope", "read", code=1).err
    assert "there is no token 'nobody'" in run(capsys, "revoke", "nobody", code=3).err


def test_no_tokens_is_nothing_found(folder, capsys):
    run(capsys, "create", "robot", "--scope", "read")
    store = open_store(f"sqlite:///{folder}/data/hub.sqlite")
    with store.transaction() as session:
        session.connection().exec_driver_sql("DELETE FROM tokens")
    store.close()
    assert run(capsys, "list", code=3).out == ""
