"""Persons on the command line."""

import io
import json

import pytest

from hub.bootstrap import now
from hub.cli.app import main
from hub.errors import NotAuthenticated
from hub.services import persons, sessions
from hub.storage.engine import open_store

PASSWORD = "correct horse battery"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text(f"{PASSWORD}\nand a second line\n")
    return tmp_path


def run(capsys, *words, code=0):
    assert main(["--data-dir", "data", "user", *words]) == code, capsys.readouterr()
    return capsys.readouterr()


def listed(capsys):
    return [json.loads(line) for line in run(capsys, "list", "--json").out.splitlines()]


def knows(folder, name, password):
    store = open_store(f"sqlite:///{folder}/data/hub.sqlite")
    try:
        persons.by_password(store, name, password)
    except NotAuthenticated:
        return False
    finally:
        store.close()
    return True


def test_a_person_is_added_changed_shut_out_and_let_in_again(folder, capsys):
    words = ("--group", "too", "--group", "grb", "--scope", "read", "--scope", "followup:approve", "--password-file", "secret")
    said = run(capsys, "add", "maria", *words)
    assert said.out == "maria may sign in\n"
    assert knows(folder, "maria", PASSWORD)
    (body,) = listed(capsys)
    assert (body["groups"], body["scopes"], body["signs_in_by"], body["state"]) == (
        ["grb", "too"],
        ["followup:approve", "read"],
        ["password"],
        "active",
    )
    assert "maria  grb too  followup:approve read  password" in run(capsys, "list").out
    assert run(capsys, "groups", "maria", "neutrino").out == "maria belongs to neutrino\n"
    assert run(capsys, "groups", "maria").out == "maria belongs to no group\n"
    (folder / "secret").write_text("another horse battery\n")
    run(capsys, "password", "maria", "--password-file", "secret")
    assert (knows(folder, "maria", PASSWORD), knows(folder, "maria", "another horse battery")) == (False, True)
    run(capsys, "disable", "maria")
    assert not knows(folder, "maria", "another horse battery")
    assert [body["state"] for body in listed(capsys)] == ["disabled"]
    assert json.loads(run(capsys, "enable", "maria", "--json").out)["state"] == "active"
    assert knows(folder, "maria", "another horse battery")


def test_a_person_of_the_proxy_has_no_password(folder, capsys):
    body = json.loads(run(capsys, "add", "paul", "--subject", "paul@example.org", "--json").out)
    assert (body["signs_in_by"], body["subject"], body["scopes"]) == (["subject"], "paul@example.org", ["read"])


def test_a_password_comes_from_standard_input_where_asked_so(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\r\n"))
    run(capsys, "add", "maria", "--password-file", "-")
    assert knows(folder, "maria", PASSWORD)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "maria", PASSWORD), 2, "unexpected extra argument"),
        (("add", "maria", "--password", PASSWORD), 2, "No such option"),
        (("add", "maria", "--password-file", "nothing"), 1, "cannot be read from nothing: No such file"),
        (("add", "maria", "--password-file", "."), 1, "cannot be read from .: Is a directory"),
        (("add", "maria", "--password-file", "latin"), 1, "cannot be read from latin: no UTF-8"),
        (("add", "maria", "--password-file", "short"), 1, "between 12 and 256"),
        (("add", "a b", "--password-file", "secret"), 1, "the name of a person"),
        (("add", "maria", "--scope", "everything"), 2, "everything"),
        (("add", "maria"), 1, "there is no terminal"),
        (("list",), 1, "there is no database"),
        (("disable", "maria"), 1, "there is no database"),
    ],
)
def test_what_cannot_be_is_one_sentence(folder, capsys, monkeypatch, words, code, said):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    (folder / "latin").write_bytes(b"caf\xe9 caf\xe9 caf\xe9 caf\xe9")
    (folder / "short").write_text("short\n")
    assert said in run(capsys, *words, code=code).err


def test_nobody_is_found_by_a_name_that_is_not_there_or_taken_twice(folder, capsys):
    run(capsys, "add", "maria", "--subject", "m")
    assert "there is a person maria already" in run(capsys, "add", "maria", "--subject", "n", code=1).err
    assert "that subject is the person maria already" in run(capsys, "add", "other", "--subject", "m", code=1).err
    for words in (("groups", "x"), ("password", "x", "--password-file", "secret"), ("disable", "x"), ("enable", "x")):
        assert "there is no person 'x'" in run(capsys, *words, code=3).err


def test_a_person_who_is_there_gets_another_subject_and_must_sign_in_again(folder, capsys):
    run(capsys, "add", "maria", "--password-file", "secret")
    run(capsys, "add", "paul", "--subject", "paul@example.org")
    store = open_store(f"sqlite:///{folder}/data/hub.sqlite")
    opened = sessions.begin(store, persons.by_password(store, "maria", PASSWORD), now=now())
    late = persons.by_subject(store, "paul@example.org")
    assert run(capsys, "subject", "maria", "https://login.example.org|1").out == "maria signs in as https://login.example.org|1\n"
    assert persons.by_subject(store, "https://login.example.org|1").person.name == "maria"
    with pytest.raises(NotAuthenticated, match="was ended"):
        sessions.authenticate(store, opened.secret, now=now())
    assert "that subject is the person maria already" in run(capsys, "subject", "paul", "https://login.example.org|1", code=1).err
    assert "printable ASCII" in run(capsys, "subject", "paul", "p\u00e4ul", code=1).err
    assert "paul has no password and could not sign in" in run(capsys, "subject", "paul", code=1).err
    assert "there is no person 'eve'" in run(capsys, "subject", "eve", "e", code=3).err
    body = json.loads(run(capsys, "subject", "paul", "p", "--json").out)
    assert (body["name"], body["subject"]) == ("paul", "p")
    with pytest.raises(NotAuthenticated, match="another subject"):
        sessions.begin(store, late, now=now())
    assert run(capsys, "subject", "maria").out == "maria signs in with a password only\n"
    store.close()
