"""Mutated packets end as a notice or as a refusal in one sentence, never otherwise."""

import json
import random
import re

import pytest

from adapters.codecs.voevent.reader import decode
from hub.errors import DecodeError
from tests.support.voevents import voevent

GARBAGE = [
    b"",
    b"nan",
    b"-1e999",
    b"9" * 5_000,
    b"-999",
    b"true",
    b"1_0",
    b"\xc2\xb2",
    b"\xd9\xa1",
    b"0",
    b"-0",
    b"1e-400",
    b"&lt;a&gt;",
    b"\xff",
]
VALUE = re.compile(rb'(?:value="|>)([^<"\n]{1,60})')
N_MUTATIONS = 120
SEEDS = {
    "gbm": voevent(params={"Packet_Type": 111, "TrigID": 1, "Most_Likely_Index": 4, "Most_Likely_Prob": 90}),
    "bat": voevent(params={"Packet_Type": 61, "TrigID": 1}, groups={"Solution_Status": {"Def_NOT_a_GRB": "false"}}),
    "icecube": voevent(
        params={"Packet_Type": 174, "run_id": 1, "event_id": "02", "FAR": ("1.5", "yr^-1"), "signalness": 0.5, "Rev": 0}
    ),
    "lvc": voevent(
        params={"Packet_Type": 150, "GraceID": "S1a", "FAR": ("1e-9", "Hz")},
        groups={"Classification": {"BNS": 1.0}},
        position=None,
    ),
    "integral": voevent(ivorn="ivo://nasa.gsfc.gcn/INTEGRAL#Wakeup_Pos_010042-0-941", params={"Packet_Type": 53}),
    "general": voevent(
        ivorn="ivo://a.b/c#d", author="ivo://a.b", coord_system="TDB-ICRS-BARY", cites=[("ivo://e/f#g", "followup")]
    ),
}


@pytest.mark.parametrize("name", SEEDS)
def test_a_mutated_packet_is_read_or_refused(name):
    source = random.Random(f"{name} 1")
    refused = 0
    for _ in range(N_MUTATIONS):
        payload = mutated(SEEDS[name], source)
        try:
            notice = decode(payload).notice
        except DecodeError as refusal:
            assert len(refusal.reason) < 300  # noqa: PT017 - both outcomes are allowed
            refused += 1
            continue
        json.dumps(
            [dict(notice.extra), dict(notice.properties), dict(notice.classification), notice.far_hz, notice.sequence],
            allow_nan=False,
        )
        assert abs(notice.sequence) < 2**31
        assert notice.position is None or -90 <= notice.position.dec_deg <= 90
    assert 0 < refused < N_MUTATIONS


def mutated(payload, source):
    """Change one to three things: mostly values, sometimes single bytes, cuts and insertions."""
    payload = bytearray(payload)
    for _ in range(source.randint(1, 3)):
        place = source.randrange(len(payload))
        match source.random():
            case chance if chance < 0.8:
                found = source.choice(list(VALUE.finditer(payload)) or [re.match(rb"()", payload)])
                payload[found.start(1) : found.end(1)] = source.choice(GARBAGE)
            case chance if chance < 0.9:
                payload[place] = source.randrange(256)
            case chance if chance < 0.96:
                del payload[place : place + source.randint(1, 20)]
            case _:
                del payload[place:]
                payload = payload or bytearray(b"<")
    return bytes(payload)
