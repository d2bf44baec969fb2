"""The page of the docs that says of every recorded message what was read, what was expected, and whether that is the same."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.support.recorded_expectations import Check, Row, checks

SECTIONS = {
    "voevent": "VOEvents",
    "gcn-json": "GCN unified notices",
    "gcn-circular-text": "Circulars in their old text form",
    "snews-json": "SNEWS 2",
    "igwn": "Gravitational-wave alerts (IGWN JSON and Avro)",
    "skymap": "Bare sky maps",
    "lsst-alert": "LSST alert packets",
    "other-avro": "ZTF and other surveys",
    "lsst-json": "LSST alerts turned into JSON",
    "igwn-internal": "GraceDB's internal records",
    "moc": "Plain MOCs",
    "catalog": "Catalogues, light curves and field grids",
    "topics": "Tables of topics and packet types",
    "schema": "Schemas",
}
"""Kinds of the manifest in the order of the page, with their headings."""

INTRODUCTION = """# Every recorded message

The hub is tested against messages that observatories really sent and that others have kept, with the values that a correct parser
must get from them. They are no part of this repository. This page is written by a test from what `mmhub decode --json` says of each
file; the test fails where a file reads differently from what is written here, or differs from what is expected without a reason.

"Read" and "expected" show the fields of the record that the expectations cover. **pass** means that all of them agree; else the reason
for the difference stands there. `none` is a value that the message does not state. Sky-map areas are in square degrees, and agree to
1e-3; distances agree to 5 %, for the expected ones are the producers' own, from posterior samples or another quadrature. All else
agrees to the digits that are expected.

Not in the recordings, so that nothing here speaks of them: the notices of IceCube-170922A (TXS 0506+056) and IceCube-191001A
(AT2019dsg), of S230529ay and GW190425, of GW150914 with its claimed gamma-ray transient, and the sky map of GW170817.
"""

Entries = Mapping[str, Row]
Records = Mapping[str, Sequence[Row]]
Reasons = Mapping[tuple[str, str], str]


def page(entries: Entries, records: Records, reasons: Reasons) -> str:
    """Return the whole page."""
    assert {entry["kind"] for entry in entries.values()} == SECTIONS.keys()
    tally: Counter[str] = Counter()
    parts = []
    for kind, heading in SECTIONS.items():
        names = sorted(name for name, entry in entries.items() if entry["kind"] == kind)
        lines = [_line(name, entries[name], record, reasons) for name in names for record in records[name][:1]]
        tally.update("pass" if line[-1].startswith("pass") else "differs" for line in lines)
        table = _schemas(lines) if kind == "schema" else _table(("File", "Format", "Read", "Expected", "Result"), lines)
        parts.append(f"## {heading} ({len(names)})\n\n{table}")
    total = f"{tally.total()} files: {tally['pass']} pass, {tally['differs']} differ for the reasons given.\n"
    return "\n".join((INTRODUCTION, total, *parts))


def _line(name: str, entry: Row, record: Row, reasons: Reasons) -> tuple[str, ...]:
    found = checks(entry, record)
    read = record["reason"] if record["kind"] == "rejected" else _values((one.field, one.read) for one in found)
    if record["kind"] == "rejected":
        read = f"rejected: {read}"
    return (
        f"`{name}`",
        record["format"] or "",
        read,
        _values((one.field, one.expected) for one in found),
        _result(name, record, found, reasons),
    )


def _result(name: str, record: Row, found: Sequence[Check], reasons: Reasons) -> str:
    differing = [one.field for one in found if not one.is_same]
    if not differing:
        return "pass" + (f"; intake refuses it: {record['refused_by_intake']}" if "refused_by_intake" in record else "")
    told: dict[str, list[str]] = {}
    for field in differing:
        told.setdefault(reasons.get((name, field), "UNEXPLAINED"), []).append(field)
    return "; ".join(f"{', '.join(fields)}: {reason}" for reason, fields in told.items())


def _schemas(lines: Iterable[tuple[str, ...]]) -> str:
    """One line for each publisher and reason: a hundred schemas are rejected in three ways."""
    groups = Counter(("/".join(line[0].strip("`").split("/")[:2]), line[2], line[3], line[4]) for line in lines)
    rows = [
        (f"`{folder}/` ({number})", read, expected, result) for (folder, read, expected, result), number in sorted(groups.items())
    ]
    return _table(("Files", "Read", "Expected", "Result"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells) + "\n"


def _values(pairs: Iterable[tuple[str, Any]]) -> str:
    return "; ".join(f"{field} {_text(value)}" for field, value in pairs)


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.10g}"
        case Mapping():
            return ", ".join(f"{name} {_text(round(number, 4))}" for name, number in value.items()) or "none"
        case _:
            return f"`{value}`" if "ivo://" in str(value) else str(value)
