"""Adding persons, recognising them, and their sessions."""

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text

from hub.errors import InvalidRequest, NotAuthenticated, NotFound
from hub.model.person import csrf_token_of, looks_like_secret
from hub.model.token import Scope
from hub.services import persons, sessions
from hub.storage import persons as rows
from tests.support.words import T0

PASSWORD = "correct horse battery"


def clock():
    return T0


def add(store, name="maria", **more):
    return persons.add(store, **{"name": name, "clock": clock, "password": PASSWORD, **more})


def signed_in(store, name="maria"):
    return sessions.begin(store, persons.by_password(store, name, PASSWORD), now=T0)


def test_a_person_is_recognised_by_name_and_password(store):
    person = add(store, groups={"too"}, scopes={Scope.FOLLOWUP_APPROVE})
    assert persons.by_password(store, "maria", PASSWORD).person == person
    assert persons.listing(store) == [person]
    assert person.signature == "person:maria"


def test_a_password_is_the_same_however_its_accents_are_typed(store):
    add(store, password="caf\u00e9 caf\u00e9 caf\u00e9")
    persons.by_password(store, "maria", "cafe\u0301 cafe\u0301 cafe\u0301")


def test_one_sentence_for_whatever_is_wrong(store):
    add(store)
    add(store, "proxied", password=None, subject="p@example.org")
    add(store, "gone")
    persons.disable(store, "gone", clock=clock)
    said = set()
    for name, password in (
        ("maria", "wrong horse battery"),
        ("maria", ""),
        ("maria", PASSWORD + "x" * 1000),
        ("maria", "\ud800" * 20),
        ("nobody", PASSWORD),
        ("mar\x00ia", PASSWORD),
        ("proxied", PASSWORD),
        ("gone", PASSWORD),
    ):
        with pytest.raises(NotAuthenticated) as caught:
            persons.by_password(store, name, password)
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_proxy_vouches_for_a_subject(store):
    person = add(store, password=None, subject="m@example.org")
    assert persons.by_subject(store, "m@example.org").person == person
    for subject in ("maria", "M@example.org", ""):
        with pytest.raises(NotAuthenticated):
            persons.by_subject(store, subject)
    persons.disable(store, "maria", clock=clock)
    with pytest.raises(NotAuthenticated):
        persons.by_subject(store, "m@example.org")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "a b"}, "the name of a person"),
        ({"name": "person:x"}, "the name of a person"),
        ({"groups": {"a/b"}}, "the name of a group"),
        ({"scopes": ()}, "at least one scope"),
        ({"password": None}, "a password or a subject"),
        ({"password": "short"}, "between 12 and 256"),
        ({"password": "ab" * 200}, "between 12 and 256"),
        ({"password": "a" * 20}, "too easy"),
        ({"name": "maria-from-paris", "password": "Maria-From-Paris"}, "too easy"),
        ({"subject": ""}, "a subject is"),
        ({"subject": "a\nb"}, "a subject is"),
        ({"subject": "taken"}, "is the person other already"),
        ({"name": "other"}, "there is a person other already"),
    ],
)
def test_what_cannot_be_is_one_sentence(store, wrong, said):
    add(store, "other", subject="taken")
    with pytest.raises(InvalidRequest, match=said):
        add(store, **wrong)
    assert [one.name for one in persons.listing(store)] == ["other"]


def test_nobody_can_be_changed_who_is_not_there(store):
    for change in (
        lambda: persons.set_groups(store, "x", ()),
        lambda: persons.set_password(store, "x", PASSWORD, clock=clock),
        lambda: persons.disable(store, "x", clock=clock),
        lambda: persons.enable(store, "x"),
    ):
        with pytest.raises(NotFound, match="there is no person 'x'"):
            change()


def test_no_password_and_no_secret_is_stored_or_printed(store):
    person = add(store)
    session = signed_in(store)
    with store.reading() as reading:
        found = [
            str(tuple(row))
            for table in ("persons", "sessions", "person_groups")
            for row in reading.execute(text(f"SELECT * FROM {table}"))
        ]
    everything = "".join(found) + repr(person) + repr(session) + repr(persons.by_password(store, "maria", PASSWORD))
    assert "$argon2id$" in found[0]
    for secret in (PASSWORD, session.secret, session.csrf_token):
        assert secret not in everything
    assert "$argon2" not in repr(persons.by_password(store, "maria", PASSWORD))


def test_a_weaker_hash_is_made_anew_when_its_password_is_shown(store):
    add(store)
    weak = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64),)).hash(PASSWORD)
    with store.transaction() as session:
        rows.set_password_hash(session, "maria", weak)
    proven = persons.by_password(store, "maria", PASSWORD)
    with store.reading() as session:
        stored = rows.password_hash_of(session, "maria")
    assert stored == proven.password_hash != weak
    sessions.begin(store, proven, now=T0)


def test_a_session_is_recognised_until_it_idles_or_is_too_old(store):
    add(store)
    session = signed_in(store)
    assert looks_like_secret(session.secret)
    assert sessions.authenticate(store, session.secret, now=T0) == session
    sessions.authenticate(store, session.secret, now=T0.plus_s(sessions.IDLE_S - 1))
    with pytest.raises(NotAuthenticated, match="expired"):
        sessions.authenticate(store, session.secret, now=T0.plus_s(sessions.IDLE_S))
    at = T0
    while at.minus(T0) < sessions.LONGEST_S - sessions.IDLE_S / 2:
        at = at.plus_s(sessions.IDLE_S / 2)
        if at.minus(T0) < sessions.LONGEST_S:
            session = sessions.note_use(store, sessions.authenticate(store, session.secret, now=at), now=at)
    with pytest.raises(NotAuthenticated, match="expired"):
        sessions.authenticate(store, session.secret, now=T0.plus_s(sessions.LONGEST_S))


def test_its_use_is_noted_in_steps(store):
    add(store)
    session = signed_in(store)
    assert sessions.note_use(store, session, now=T0.plus_s(1)) is session
    later = T0.plus_s(sessions.SEEN_STEP_S)
    assert sessions.note_use(store, session, now=later).session.seen_at == later
    assert sessions.authenticate(store, session.secret, now=later).session.seen_at == later


@pytest.mark.parametrize("how", ["end", "password", "disable"])
def test_a_session_ends_at_once(store, how):
    add(store)
    add(store, "other")
    session, others = signed_in(store), signed_in(store, "other")
    match how:
        case "end":
            sessions.end(store, session, now=T0)
        case "password":
            persons.set_password(store, "maria", "another horse battery", clock=clock)
        case "disable":
            persons.disable(store, "maria", clock=clock)
    with pytest.raises(NotAuthenticated, match="was ended"):
        sessions.authenticate(store, session.secret, now=T0)
    assert sessions.authenticate(store, others.secret, now=T0).person.name == "other"


def test_who_is_let_in_again_signs_in_anew(store):
    add(store)
    session = signed_in(store)
    persons.disable(store, "maria", clock=clock)
    assert persons.enable(store, "maria").disabled_at is None
    with pytest.raises(NotAuthenticated, match="was ended"):
        sessions.authenticate(store, session.secret, now=T0)
    signed_in(store)


def test_no_session_opens_on_a_password_that_is_changed_or_a_person_shut_out_meanwhile(store):
    add(store)
    proven = persons.by_password(store, "maria", PASSWORD)
    persons.set_password(store, "maria", "another horse battery", clock=clock)
    with pytest.raises(NotAuthenticated):
        sessions.begin(store, proven, now=T0)
    proven = persons.by_password(store, "maria", "another horse battery")
    persons.disable(store, "maria", clock=clock)
    with pytest.raises(NotAuthenticated):
        sessions.begin(store, proven, now=T0)


def test_a_secret_of_no_session_is_refused(store):
    add(store)
    secret = signed_in(store).secret
    for wrong in ("", "x", "A" * 43, secret[:-1] + ("A" if secret[-1] != "A" else "B"), secret + "A"):
        with pytest.raises(NotAuthenticated, match="not one of this hub"):
            sessions.authenticate(store, wrong, now=T0)


def test_old_sessions_are_forgotten_when_one_begins(store):
    add(store)
    old = signed_in(store)
    later = T0.plus_s(sessions.LONGEST_S + sessions.KEPT_S + 1)
    sessions.begin(store, persons.by_password(store, "maria", PASSWORD), now=later)
    with store.reading() as session:
        assert session.execute(text("SELECT count(*) FROM sessions")).scalar() == 1
    with pytest.raises(NotAuthenticated, match="not one of this hub"):
        sessions.authenticate(store, old.secret, now=later)


def test_the_csrf_token_follows_from_the_secret_and_not_from_its_digest(store):
    add(store)
    one, other = signed_in(store), signed_in(store)
    assert one.csrf_token == csrf_token_of(one.secret) != other.csrf_token
    assert csrf_token_of(one.session.digest) != one.csrf_token
