import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.transports.vtp.filters import Traits, parse, passes
from hub.errors import InvalidRequest

RETRACTION = Traits(role="observation", ivorn="ivo://Org.Example/hub/out#C12.v2", subject="retraction")
MOCK = Traits(role="test", ivorn="ivo://nasa.gsfc.gcn/ICECUBE?1", subject="notice")


@pytest.mark.parametrize(
    ("text", "retraction", "mock"),
    [
        ("role == observation", True, False),
        ("role != test", True, False),
        ("subject == retraction", True, False),
        ("subject == notice", False, True),
        ("ivorn startswith ivo://org.example/", True, False),
        ("ivorn startswith IVO://ORG.EXAMPLE/", True, False),
        ("stream == nasa.gsfc.gcn/icecube", False, True),
        ("stream contains hub", True, False),
        ('stream contains "gsfc.gcn"', False, True),
        ("role == test and stream contains icecube", False, True),
        ("role == test and stream contains hub", False, False),
        ('  role   ==   "observation"  ', True, False),
        ('role != ""', True, True),
    ],
)
def test_filters_say_what_they_say(text, retraction, mock):
    assert (parse(text).passes(RETRACTION), parse(text).passes(MOCK)) == (retraction, mock)


def test_an_event_passes_a_set_of_filters_by_passing_one():
    both = [parse("subject == retraction"), parse("role == test")]
    assert passes(both, RETRACTION)
    assert passes(both, MOCK)
    assert not passes(both[1:], RETRACTION)
    assert passes([], MOCK)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not made of FIELD OPERATOR VALUE"),
        ("role", "not made of FIELD OPERATOR VALUE"),
        ("role == test and", "not made of FIELD OPERATOR VALUE"),
        ("role == test or role == observation", "only 'and'"),
        ("colour == red", "there are role, ivorn, stream, subject"),
        ("role ~ te.*", "there are ==, !=, startswith, contains"),
        ('role == "test', "double quote"),
        ("role == " + "x" * 500, "more than the 500 allowed"),
        (" and ".join(["role == test"] * 9), "more than 8 comparisons"),
        ("//Param[@name='x']/preceding-sibling::*", "FIELD OPERATOR VALUE"),
        ("__class__ == x", "there are"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(text, why):
    with pytest.raises(InvalidRequest, match=why):
        parse(text)


@given(text=st.text(max_size=520))
def test_any_text_is_a_filter_or_a_sentence(text):
    try:
        wanted = parse(text)
    except InvalidRequest:
        return
    assert wanted.passes(RETRACTION) in (True, False)
