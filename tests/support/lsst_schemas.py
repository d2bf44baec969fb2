"""The LSST alert schemas out of the lsst-alert-packet package, in Avro parsing canonical form.

``python -m tests.support.lsst_schemas`` writes ``schemas/lsst`` anew; the contract test compares what lies there with what it would write.
"""

import json
import re
from pathlib import Path

import fastavro.schema
import lsst.alert.packet

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "lsst"
OFFICIAL = Path(lsst.alert.packet.__file__).parent / "schema"


def official_versions() -> list[tuple[int, int]]:
    """Return (major, minor) of every alert schema in the package, ascending; 1 and 2 were never used by a survey packet."""
    found = (re.fullmatch(r"lsst\.v(\d+)_(\d+)\.alert\.avsc", path.name) for path in OFFICIAL.glob("*/*/*.alert.avsc"))
    return sorted((int(match[1]), int(match[2])) for match in found if match and int(match[1]) >= 3)


def canonical(major: int, minor: int) -> str:
    """Return one schema, references resolved, in parsing canonical form (Avro 1.11 specification, "Parsing Canonical Form")."""
    path = OFFICIAL / str(major) / str(minor) / f"lsst.v{major}_{minor}.alert.avsc"
    return fastavro.schema.to_parsing_canonical_form(fastavro.schema.load_schema(str(path)))


def fingerprints(text: str) -> dict[str, str]:
    """Return the fingerprints of a canonical form, by the names of the Avro specification."""
    return {name: fastavro.schema.fingerprint(text, name) for name in ("CRC-64-AVRO", "SHA-256")}


def main() -> None:
    """Write every schema and the table of fingerprints."""
    table = {}
    for major, minor in official_versions():
        text = canonical(major, minor)
        name = f"{major}.{minor}.avsc"
        (FOLDER / name).write_text(text + "\n", encoding="utf-8")
        table[f"{major}.{minor}"] = {"id": 100 * major + minor, **fingerprints(text)}
    (FOLDER / "fingerprints.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
