"""Good messages with something wrong in them, through the one front door: read, or refused in one sentence, never anything else.

`make test` tries a tenth of the mutations, `make fuzz` (MMHUB_TEST_FUZZ=full) all of them.
"""

import os
import random
from collections.abc import Callable

import pytest

from adapters.codecs.decoder import WireDecoder
from hub.errors import DecodeError
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.ports import DecodedAlerts
from tests.support import json_notices, lsst_packets, ztf_packets

N_FULL = 2000
"""Mutations of each format, in equal parts by kind."""

VOEVENT = b"""<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://nasa.gsfc.gcn/Fermi#GBM_Gnd_Pos_1" role="observation" version="2.0">
<Who><AuthorIVORN>ivo://nasa.gsfc.tan/gcn</AuthorIVORN><Date>2026-03-01T02:03:40</Date></Who>
<What><Param name="Packet_Type" value="112"/><Param name="TrigID" value="524666471"/>
<Group name="Trigger_ID"><Param name="Def_NOT_a_GRB" value="false"/></Group></What>
<WhereWhen><ObsDataLocation><ObservatoryLocation id="GEOLUN"/><ObservationLocation><AstroCoordSystem id="UTC-FK5-GEO"/>
<AstroCoords coord_system_id="UTC-FK5-GEO"><Time unit="s"><TimeInstant><ISOTime>2026-03-01T02:03:04.25</ISOTime></TimeInstant></Time>
<Position2D unit="deg"><Name1>RA</Name1><Name2>Dec</Name2><Value2><C1>186.6200</C1><C2>-48.8400</C2></Value2>
<Error2Radius>17.45</Error2Radius></Position2D></AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>
<Citations><EventIVORN cite="followup">ivo://nasa.gsfc.gcn/Fermi#GBM_Alert_1</EventIVORN></Citations>
</voe:VOEvent>"""

SEEDS: dict[str, bytes] = {
    "voevent": VOEVENT,
    "gcn-unified": json_notices.as_bytes(json_notices.gbm()),
    "gcn-unified-icecube": json_notices.as_bytes(json_notices.icecube()),
    "igwn-json": json_notices.as_bytes(json_notices.igwn_with_coincidence()),
    "igwn-avro": json_notices.as_avro(json_notices.igwn_alert()),
    "snews2": json_notices.as_bytes(json_notices.snews()),
    "circular": json_notices.as_bytes(json_notices.circular()),
    "lsst-framed": lsst_packets.framed("10.0", lsst_packets.record("10.0", history_mjd=(61_000.0, 61_001.0))),
    "lsst-container": lsst_packets.container(
        "10.0", [lsst_packets.record("10.0", diaSourceId=n) for n in (1, 2)], codec="deflate"
    ),
    "ztf-container": ztf_packets.container([ztf_packets.record()]),
}

EXTREMES = (
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"9" * 400,
    b"null",
    b'""',
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"\x00",
    b"<!DOCTYPE a>",
)
"""What stands where something sensible stood."""


def flip_bits(payload: bytes, source: random.Random) -> bytes:
    changed = bytearray(payload)
    for _ in range(source.randint(1, 8)):
        changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
    return bytes(changed)


def cut(payload: bytes, source: random.Random) -> bytes:
    return payload[: source.randrange(len(payload))]


def drop_piece(payload: bytes, source: random.Random) -> bytes:
    start = source.randrange(len(payload))
    return payload[:start] + payload[start + source.randint(1, 40) :]


def repeat_piece(payload: bytes, source: random.Random) -> bytes:
    start = source.randrange(len(payload))
    end = start + source.randint(1, 80)
    return payload[:end] + payload[start:end] * source.randint(1, 20) + payload[end:]


def put_extreme(payload: bytes, source: random.Random) -> bytes:
    start = source.randrange(len(payload))
    return payload[:start] + source.choice(EXTREMES) + payload[start + source.randint(0, 12) :]


def replace_number(payload: bytes, source: random.Random) -> bytes:
    digits = [index for index, byte in enumerate(payload) if 48 <= byte <= 57] or [0]
    start = end = source.choice(digits)
    while end < len(payload) and 48 <= payload[end] <= 57:
        end += 1
    return payload[:start] + source.choice(EXTREMES) + payload[end:]


def splice(payload: bytes, source: random.Random) -> bytes:
    other = source.choice(list(SEEDS.values()))
    return payload[: source.randrange(len(payload))] + other[source.randrange(len(other)) :]


KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(flip_bits, cut, drop_piece, repeat_piece),
    *(put_extreme, replace_number, splice),
)


def n_mutations() -> int:
    full = os.environ.get("MMHUB_TEST_FUZZ") == "full"
    return (N_FULL if full else N_FULL // 10) // len(KINDS) + 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.fuzz
def test_mutated_message_is_read_or_refused_in_one_sentence(seed: str, kind: Callable[[bytes, random.Random], bytes]) -> None:
    source = random.Random(f"{seed} {kind.__name__}")
    decoder = WireDecoder()
    refused: list[str] = []
    for _ in range(n_mutations()):
        payload = kind(SEEDS[seed], source)
        try:
            decoded = decoder.decode(Envelope(payload=payload, source="fuzz", received_at=Instant(1_800_000_000_000_000)))
            if isinstance(decoded, DecodedAlerts):
                decoder.decode_details(payload)
        except DecodeError as error:
            refused.append(error.reason)
    for reason in refused:
        assert reason
        assert len(reason) < 1000, reason
        assert "\n" not in reason, reason


@pytest.mark.parametrize("seed", SEEDS)
def test_seed_is_read_as_it_is(seed: str) -> None:
    WireDecoder().decode(Envelope(payload=SEEDS[seed], source="fuzz", received_at=Instant(1_800_000_000_000_000)))
