"""Rows of persons and their groups, on both engines."""

from hub.model.person import Person
from hub.model.token import Scope
from hub.storage import persons
from tests.support.words import T0


def make_person(name="maria", **more):
    values = {
        "name": name,
        "groups": frozenset({"grb", "too"}),
        "scopes": frozenset({Scope.READ, Scope.FOLLOWUP_APPROVE}),
        "has_password": True,
        "subject": None,
        "created_at": T0,
    }
    return Person(**{**values, **more})


def add(store, person, password_hash="hash"):
    with store.transaction() as session:
        return persons.add(session, person, password_hash if person.has_password else None)


def test_a_person_comes_back_as_stored(store):
    maria, proxied = make_person(), make_person("paul", groups=frozenset(), has_password=False, subject="paul@example.org")
    assert add(store, maria)
    assert add(store, proxied)
    with store.reading() as session:
        assert persons.named(session, "maria") == maria
        assert persons.of_subject(session, "paul@example.org") == proxied
        assert persons.every(session) == [maria, proxied]
        assert persons.password_hash_of(session, "maria") == "hash"
        assert persons.password_hash_of(session, "paul") is None
        assert persons.named(session, "nobody") is None
        assert persons.of_subject(session, "maria") is None


def test_a_name_is_taken_once_and_the_second_changes_nothing(store):
    assert add(store, make_person())
    assert not add(store, make_person(groups=frozenset({"other"})), "another")
    with store.reading() as session:
        assert persons.named(session, "maria") == make_person()
        assert persons.password_hash_of(session, "maria") == "hash"


def test_groups_are_replaced_as_a_whole(store):
    add(store, make_person())
    add(store, make_person("paul"))
    for groups in ({"neutrino", "grb"}, set()):
        with store.transaction() as session:
            persons.set_groups(session, "maria", groups)
        with store.reading() as session:
            assert persons.named(session, "maria").groups == groups
            assert persons.named(session, "paul").groups == {"grb", "too"}


def test_a_hash_is_renewed_only_while_it_is_the_one_that_was_read(store):
    add(store, make_person())
    with store.transaction() as session:
        persons.renew_password_hash(session, "maria", old="hash", new="stronger")
        persons.renew_password_hash(session, "maria", old="hash", new="late")
    with store.reading() as session:
        assert persons.password_hash_of(session, "maria") == "stronger"


def test_who_is_shut_out_stays_so_since_the_first_time_until_let_in_again(store):
    add(store, make_person())
    seen = []
    for at in (T0.plus_s(5), T0.plus_s(9), None):
        with store.transaction() as session:
            persons.set_disabled(session, "maria", at)
            seen.append(persons.named(session, "maria").disabled_at)
    assert seen == [T0.plus_s(5), T0.plus_s(5), None]
