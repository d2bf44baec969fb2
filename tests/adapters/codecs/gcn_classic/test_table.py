"""The type tables as a whole, and the page that the documentation shows of them."""

import json
import os
from pathlib import Path

from adapters.codecs.gcn_classic.table import MISSIONS
from adapters.codecs.voevent import xml
from adapters.codecs.voevent.packet import read_packet

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "gcn-classic.md"
HEAD = """# GCN classic notices

Packet types that the hub reads in VOEvent form (`adapters/codecs/gcn_classic`), generated from the type tables by
`tests/adapters/codecs/gcn_classic/test_table.py` (refresh with `MMHUB_TEST_REFRESH=1`). A VOEvent of any other origin or type goes
through the general reader. "Untested against real bytes" means that no recorded packet of the type was available; such types are
tested on packets of our own making.

Position: whether it localizes the event, what its radius contains, and the systematic model that is applied to it.
"""


def rows():
    for mission in MISSIONS:
        for kind in mission.kinds:
            yield mission, kind


def page():
    lines = [
        HEAD,
        "| type | name | mission | instrument | stage | class | position | remarks |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for mission, kind in sorted(rows(), key=lambda row: (row[1].number or 10_000, row[1].name)):
        remarks = [
            *([] if kind.is_event else ["no event"]),
            *(["always a test"] if kind.is_test else []),
            *([f"vetoed: {kind.veto}"] if kind.veto else []),
            *([] if kind.is_recorded else ["untested against real bytes"]),
        ]
        lines.append(
            f"| {kind.number or '-'} | {kind.name} | {mission.name} | {kind.instrument or ''} | {kind.stage} | {kind.event_class} "
            f"| {'a sky map by its address' if kind.name.startswith('LVC_') and kind.number != 154 else position(kind)} | {'; '.join(remarks)} |"
        )
    return "\n".join(lines) + "\n"


def position(kind):
    if not kind.localizes:
        return "not of the event"
    if kind.radius.containment is None:
        return "radius of unknown containment"
    systematic = {True: ", systematic included", False: ", statistical", None: ""}[kind.radius.systematic_included]
    model = f", model {kind.systematic_model}" if kind.systematic_model else ""
    return f"{kind.radius.containment:.0%}{systematic}{model}"


def test_the_documented_table_is_that_of_the_code():
    if os.environ.get("MMHUB_TEST_REFRESH"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_no_packet_type_is_claimed_twice():
    numbers = [kind.number for _, kind in rows() if kind.number]
    names = [kind.name for _, kind in rows()]
    assert len(numbers) == len(set(numbers))
    assert len(names) == len(set(names))


def test_exactly_the_types_with_real_bytes_are_marked_as_recorded(recorded):
    seen = set()
    for entry in json.loads((recorded / "manifest.json").read_text()):
        if entry["kind"] == "voevent" and "ivorn" in entry["expect"]:
            written = read_packet(xml.read_root((recorded / entry["file"]).read_bytes())).get("Packet_Type")
            seen.add(int(written)) if written else None
    assert seen == {kind.number for _, kind in rows() if kind.is_recorded and kind.number}


def test_names_are_those_of_gcn(recorded):
    names = json.loads((recorded / "gcn" / "packet_types.json").read_text())
    for mission, kind in rows():
        if str(kind.number) in names:
            assert kind.name == names[str(kind.number)], mission.name
