"""Outgoing VOEvents: valid, deterministic, and read back by our own reader and by voevent-parse."""

import math

import pytest
import voeventparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.codecs.voevent import xml
from adapters.codecs.voevent.importance import importance_of
from adapters.codecs.voevent.packet import read_packet
from adapters.codecs.voevent.reader import decode
from adapters.codecs.voevent.reading import PER_YEAR_S
from adapters.codecs.voevent.renderer import VoeventRenderer
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind, Role
from hub.ports import Announcement

T0 = Instant.from_utc_iso("2017-08-17T12:41:04.43")
ISSUED = Instant.from_utc_iso("2017-08-17T12:50:00.7")
FOLLOWED = Citation(ivorn="ivo://nasa.gsfc.gcn/Fermi#GBM_Gnd_Pos_1", kind=CiteKind.FOLLOWUP)
FORMER = "ivo://hub.example/coincidence#abc.v1"


def pair(**changes):
    words = {
        "coincidence_id": "abc",
        "kind": "gw-grb",
        "hypothesis": "cbc-grb",
        "members": (Member(kind=MemberKind.EVENT, id="Fermi-524666471"), Member(kind=MemberKind.EVENT, id="G298048")),
        "state": PairState.OPEN,
        "version": 2,
        "scores": (
            Score(statistic="joint_far", version=1, value=1.25e-14, unit="Hz"),
            Score(statistic="random_association", version=1, value=2.5e-12, unit="Hz"),
            Score(statistic="overlap", version=1, value=32.286, unit="1"),
            Score(statistic="level_2d", version=1, value=None, unit="1"),
        ),
        "reasons": ("the burst came 1.7 s after the merger", 'odd <text> & "quotes"'),
        "localization_ids": ("f" * 32,),
        "is_live": True,
        "t0": T0,
        "created_at": T0,
    }
    return Coincidence(**{**words, **changes})


def announcement(coincidence=None, **changes):
    words = {
        "coincidence": coincidence or pair(),
        "ivorn": "ivo://hub.example/coincidence#abc.v2",
        "cites": (FOLLOWED, Citation(ivorn=FORMER, kind=CiteKind.SUPERSEDES)),
        "is_retraction": False,
        "author_ivorn": "ivo://hub.example/hub",
        "member_facts": (
            {
                "id": "Fermi-524666471",
                "kind": "event",
                "messenger": "em",
                "t0": "2017-08-17T12:41:06.470000Z",
                "ra_deg": 186.62,
                "x": None,
            },
            {"id": "G298048", "kind": "event", "messenger": "gw", "object_id": 2**60 + 1, "flags": ["a"]},
        ),
        "ra_deg": 197.45,
        "dec_deg": -23.38,
        "radius_deg": 3.5,
        "issued_at": ISSUED,
    }
    return Announcement(**{**words, **changes})


def render(*arguments, **changes):
    return VoeventRenderer().render(announcement(*arguments, **changes))


def assert_valid(payload):
    packet = voeventparse.loads(payload)
    voeventparse.assert_valid_as_v2_0(packet)
    return packet


def test_what_was_written_is_read_back_by_our_own_reader():
    notice = decode(render()).notice
    assert notice.ivorn == "ivo://hub.example/coincidence#abc.v2"
    assert (notice.role, notice.format) == (Role.OBSERVATION, "voevent-2.0")
    assert notice.t0 == T0
    assert notice.issued_at == Instant.from_utc_iso("2017-08-17T12:50:00")  # the standard writes whole seconds
    assert (notice.position.ra_deg, notice.position.dec_deg, notice.position.radius_deg) == (197.45, -23.38, 3.5)
    assert notice.cites == (FOLLOWED, Citation(ivorn=FORMER, kind=CiteKind.SUPERSEDES))
    assert notice.extra["scores.joint_far"] == "1.25e-14"
    assert notice.extra["member_2.object_id"] == str(2**60 + 1)


def test_params_carry_units_and_ucds_in_one_group_per_member_and_one_of_scores():
    packet = read_packet(xml.read_root(render()))
    assert {param.group for param in packet.params} == {None, "member_1", "member_2", "scores"}
    far = packet.param("joint_far")
    assert (far.group, far.unit, far.ucd) == ("scores", "Hz", "arith.rate")
    ra = packet.param("ra_deg")
    assert (ra.unit, ra.ucd) == ("deg", "pos.eq.ra")
    assert "x" not in {param.name for param in packet.params}
    in_groups = [(param.group, param.name) for param in packet.params]
    assert len(in_groups) == len(set(in_groups))


def test_what_was_written_is_read_back_by_voevent_parse():
    packet = assert_valid(render())
    assert voeventparse.get_event_time_as_utc(packet).replace(tzinfo=None) == T0.to_datetime().replace(tzinfo=None)
    place = voeventparse.get_event_position(packet)
    assert (place.ra, place.dec, place.err, place.system) == (197.45, -23.38, 3.5, "UTC-ICRS-GEO")
    assert [str(reason) for reason in packet.Why.Description] == list(pair().reasons)
    assert float(packet.Why.get("importance")) == importance_of(pair())


def test_the_same_announcement_gives_the_same_bytes():
    assert render() == render()


def test_a_coincidence_that_is_not_live_is_a_test():
    assert decode(render(pair(is_live=False))).notice.role is Role.TEST


def test_a_withdrawal_retracts_the_former_version():
    cites = (Citation(ivorn=FORMER, kind=CiteKind.RETRACTION),)
    payload = render(pair(state=PairState.WITHDRAWN), is_retraction=True, cites=cites)
    packet = assert_valid(payload)
    assert decode(payload).notice.cites == cites
    assert float(packet.Why.get("importance")) == 0.0
    assert "withdrawn" in str(packet.Why.Description[0])


def test_a_retraction_that_retracts_nothing_is_an_error():
    with pytest.raises(ValueError, match="must cite"):
        render(is_retraction=True)


@pytest.mark.parametrize("t0", [T0, None])
@pytest.mark.parametrize("position", [(197.45, -23.38, 3.5), (197.45, -23.38, None), (None, None, None), (math.nan, 0.0, 1.0)])
def test_unknown_time_and_position_are_left_out_and_the_packet_stays_valid(t0, position):
    ra, dec, radius = position
    payload = render(pair(t0=t0), ra_deg=ra, dec_deg=dec, radius_deg=radius)
    assert_valid(payload)
    notice = decode(payload).notice
    assert notice.t0 == t0
    if ra == 197.45:
        assert (notice.position.ra_deg, notice.position.radius_deg) == (ra, radius)
    else:
        assert notice.position is None


def test_a_leap_second_survives():
    leap = Instant.from_utc_iso("2016-12-31T23:59:60.25")
    assert decode(render(pair(t0=leap))).notice.t0 == leap


def test_a_bare_announcement_is_valid():
    bare = pair(scores=(), reasons=(), localization_ids=(), members=(), t0=None)
    payload = render(bare, cites=(), member_facts=({}, {"id": None}), ra_deg=None, dec_deg=None, radius_deg=None)
    packet = assert_valid(payload)
    assert packet.Why.get("importance") is None
    assert packet.find("Citations") is None


def test_scores_of_one_name_stay_apart():
    scores = tuple(Score(statistic="rank", version=v, value=value, unit="1") for v, value in ((1, 0.5), (2, 0.7), (2, math.inf)))
    packet = read_packet(xml.read_root(render(pair(scores=scores))))
    assert [(p.name, p.value) for p in packet.params if p.group == "scores"] == [
        ("rank.v1.1", "0.5"),
        ("rank.v2.2", "0.7"),
        ("rank.v2.3", "inf"),
    ]


def test_importance_follows_the_expected_chance_coincidences():
    noise = Score(statistic="joint_far", version=1, value=1e-20, unit="Hz")
    once_a_year = Score(statistic="random_association", version=1, value=1 / PER_YEAR_S, unit="Hz")
    assert importance_of(pair(scores=(noise, once_a_year))) == 0.5
    assert importance_of(pair(scores=(noise,))) is None
    assert importance_of(pair(scores=())) is None
    assert importance_of(pair(state=PairState.WITHDRAWN)) == 0.0


def test_an_identifier_that_breaks_the_schema_is_an_error_not_a_packet():
    with pytest.raises(ValueError, match="would not be valid"):
        render(ivorn="ivo://hub.example/coincidence#a b%zz")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    reasons=st.lists(st.text(st.characters(exclude_categories=())), max_size=3),
    name=st.text(st.characters(exclude_categories=())),
    value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(), max_size=2)),
    score=st.one_of(st.none(), st.floats()),
)
def test_any_text_and_any_number_gives_a_valid_packet(reasons, name, value, score):
    coincidence = pair(
        kind=name,
        reasons=tuple(reasons),
        members=(Member(kind=MemberKind.EVENT, id=name),),
        scores=(
            Score(statistic=name, version=1, value=score, unit=name),
            Score(statistic="joint_far", version=1, value=score, unit="Hz"),
        ),
    )
    payload = render(
        coincidence, member_facts=({"id": name, name: value},), cites=(Citation(ivorn=name, kind=CiteKind.FOLLOWUP),)
    )
    assert_valid(payload)
    assert decode(payload).notice.ivorn == "ivo://hub.example/coincidence#abc.v2"
    assert (
        render(coincidence, member_facts=({"id": name, name: value},), cites=(Citation(ivorn=name, kind=CiteKind.FOLLOWUP),))
        == payload
    )
