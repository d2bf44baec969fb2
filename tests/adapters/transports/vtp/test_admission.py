import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.transports.vtp.admission import Admission, NotAdmitted, RateLimit, is_in, networks


@pytest.mark.parametrize(
    ("address", "cidr", "inside"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.2", "127.0.0.1/32", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.99/24", True),
        ("::1", "127.0.0.1", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.8", "::ffff:192.0.2.7", False),
        ("192.0.2.9", "::ffff:192.0.2.0/120", True),
        ("::ffff:192.0.2.7", "::/0", True),
        ("192.0.2.7", "::/0", False),
        ("::ffff:192.0.2.7", "2001:db8::/32", False),
        ("fe80::1%eth0", "fe80::/10", True),
        ("2001:db8::1", "0.0.0.0/0", False),
        ("unknown", "0.0.0.0/0", False),
    ],
)
def test_an_address_is_in_a_network_or_not(address, cidr, inside):
    assert is_in(address, networks([cidr])) is inside


def test_connections_are_counted_in_all_and_by_address():
    admission = Admission(["10.0.0.0/8"], max_connections=2, max_per_address=1)
    with admission.entered("10.0.0.1"):
        with pytest.raises(NotAdmitted, match="1 connections from 10"), admission.entered("10.0.0.1"):
            pass
        full = pytest.raises(NotAdmitted, match="2 connections already")
        with admission.entered("10.0.0.2"), full, admission.entered("10.0.0.3"):
            pass
        assert admission.n_open == 1
    with pytest.raises(NotAdmitted, match="not in the list"), admission.entered("192.0.2.1"):
        pass
    assert (admission.n_open, admission.n_refused) == (0, 3)


def test_a_rate_is_kept_with_a_minute_saved_up_at_most():
    at = [0.0]
    rate = RateLimit(60, monotonic=lambda: at[0])
    assert sum(rate.allows("a") for _ in range(100)) == 60
    assert rate.allows("b")
    at[0] = 2.0
    assert sum(rate.allows("a") for _ in range(100)) == 2
    at[0] = 7200.0
    assert sum(rate.allows("a") for _ in range(100)) == 60


@given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30)), max_size=100), per_minute=st.floats(1, 100))
def test_no_pattern_gets_more_than_the_rate(steps, per_minute):
    at = [0.0]
    rate = RateLimit(per_minute, monotonic=lambda: at[0])
    allowed = {"a": 0, "b": 0}
    for address, pause in steps:
        at[0] += pause
        allowed[address] += rate.allows(address)
    assert max(allowed.values()) <= per_minute * (1 + at[0] / 60) + 1e-6


def test_many_addresses_are_forgotten_again():
    at = [0.0]
    rate = RateLimit(60, monotonic=lambda: at[0])
    for number in range(25_000):
        at[0] += 0.001
        assert rate.allows(str(number))
    assert len(rate._buckets) <= 10_000
