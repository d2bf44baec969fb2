"""The IAU Transient Name Server: its public objects as CSV (also zipped), and one object as its API gives it.

Columns and members are those of TNS's files and API as their users describe them; no recorded file is at hand: untested against
real bytes.
"""

import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

from adapters.codecs.json_fields import Fields
from hub.errors import DecodeError
from hub.model.annotation import ReportedObject
from hub.model.instant import Instant
from hub.ports import DecodedContext

REGISTRY = "TNS"
KIND = "reports"
FORMAT_CSV = "tns-csv"
FORMAT_ZIP = "tns-csv-zip"
FORMAT_OBJECT = "tns-object"

MAX_CSV_BYTES = 512 * 1024 * 1024
"""Longest table, unpacked; that of all public objects has about 50 MB."""

MAX_ROWS = 5_000_000
"""Most rows of a table."""

MAX_NAMES = 50
"""Most internal names of one object."""

SHOWN_REFUSALS = 10
"""How many refused rows are named."""

_ZIP_MAGIC = b"PK\x03\x04"
_NEEDED = ("name", "ra", "declination")
_NAME = re.compile(r"(?:19|20)\d\d[A-Za-z]{1,6}|[A-Z][\w.+-]{2,40}", re.ASCII)
_PREFIX = re.compile(r"[A-Z]{2,6}")
_LARGEST_Z = 20.0


class TnsTable:
    """The rows of a table, read anew each time it is gone through; rows that cannot be read are passed over."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def __iter__(self) -> Iterator[ReportedObject]:
        return (row for _, row in self.rows() if isinstance(row, ReportedObject))

    def rows(self) -> Iterator[tuple[int, ReportedObject | str]]:
        """Yield the number of each line with its object, or with the sentence why it is none.

        Raises
        ------
        DecodeError
            It is no such table, or longer than it may be.
        """
        with _opened(self._payload) as raw:
            reader = csv.reader(io.TextIOWrapper(raw, encoding="utf-8", errors="replace", newline=""))
            try:
                columns = _header(reader)
                for row in reader:
                    if reader.line_num > MAX_ROWS:
                        raise DecodeError(f"the table has more than the {MAX_ROWS} rows allowed")
                    if row:
                        yield reader.line_num, _object_of_row(row, columns)
            except (csv.Error, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
                raise DecodeError(f"the table breaks off at line {reader.line_num}: {error}") from error


def is_zip(payload: bytes) -> bool:
    """Return whether bytes are a ZIP archive."""
    return payload.startswith(_ZIP_MAGIC)


def is_table(head: bytes) -> bool:
    """Return whether a text begins like a table of TNS: the names of the columns stand in the first or second line."""
    return any(b"objid" in line and b"name_prefix" in line and b"declination" in line for line in head.split(b"\n", 2)[:2])


def decode_table(payload: bytes) -> DecodedContext:
    """Return the objects of a table, CSV or a ZIP of it, with how many rows were refused and why the first of them.

    Raises
    ------
    DecodeError
        It is no such table, longer than it may be, or has no row that can be read.
    """
    name = FORMAT_ZIP if is_zip(payload) else FORMAT_CSV
    table = TnsTable(payload)
    n_objects, refused, first = 0, 0, list[str]()
    try:
        for line, row in table.rows():
            if isinstance(row, str):
                refused += 1
                if len(first) < SHOWN_REFUSALS:
                    first.append(f"line {line}: {row}")
            else:
                n_objects += 1
    except DecodeError as error:
        raise DecodeError(error.reason, format=name) from error
    if not n_objects and refused:
        raise DecodeError(f"no row of the table can be read; {first[0]}", format=name)
    summary = {"registry": REGISTRY, "n_objects": n_objects, "n_refused": refused, "first_refusals": first}
    return DecodedContext(kind=KIND, format=name, summary=summary, reports=table)


def is_object(message: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is an answer of the API about one object, wrapped or not."""
    inner = _inner(message)
    return "objname" in inner and "radeg" in inner


def decode_object(message: Mapping[str, Any]) -> DecodedContext:
    """Return the object of an answer of the API.

    Raises
    ------
    DecodeError
        It has no name or no place.
    """
    inner = _inner(message)
    fields = Fields(inner)
    words = {
        "name": fields.text("objname"),
        "name_prefix": fields.text("name_prefix"),
        "ra": inner.get("radeg"),
        "declination": inner.get("decdeg"),
        "redshift": inner.get("redshift"),
        "type": _named(inner.get("object_type"), "name"),
        "internal_names": fields.text("internal_names") or _joined(fields.texts("internal_names")),
        "discoverydate": fields.text("discoverydate"),
        "discoverymag": inner.get("discoverymag"),
        "filter": _named(inner.get("discmagfilter"), "name"),
        "reporting_group": _named(inner.get("reporting_group"), "group_name"),
        "lastmodified": fields.text("lastmodified"),
        "hostname": fields.text("hostname"),
    }
    found = _object({key: "" if value is None else str(value) for key, value in words.items()})
    if isinstance(found, str):
        raise DecodeError(f"the object of TNS cannot be read: {found}", format=FORMAT_OBJECT)
    summary = {"registry": REGISTRY, "n_objects": 1, "n_refused": 0, "name": found.name}
    return DecodedContext(kind=KIND, format=FORMAT_OBJECT, summary=summary, reports=(found,))


def _inner(message: Mapping[str, Any]) -> Mapping[str, Any]:
    data = message.get("data", message)
    reply = data.get("reply", data) if isinstance(data, dict) else message
    return reply if isinstance(reply, dict) else {}


def _opened(payload: bytes) -> IO[bytes]:
    """Return the text of a table as a stream of bytes that ends where it may."""
    if not is_zip(payload):
        return io.BytesIO(payload)
    try:
        archive = zipfile.ZipFile(io.BytesIO(payload))
        members = [one for one in archive.infolist() if not one.is_dir()]
        if len(members) != 1 or not members[0].filename.endswith(".csv"):
            raise DecodeError("a ZIP archive, but not one with a single CSV file in it", format=FORMAT_ZIP)
        if members[0].file_size > MAX_CSV_BYTES:
            raise DecodeError(f"the table in the archive has more than the {MAX_CSV_BYTES} bytes allowed", format=FORMAT_ZIP)
        # The size that an archive states is enforced by zipfile: reading ends there, and the check sum fails where it lied.
        return archive.open(members[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        raise DecodeError(f"the ZIP archive cannot be opened: {error}", format=FORMAT_ZIP) from error


def _header(reader: Iterator[list[str]]) -> dict[str, int]:
    """Return the place of each column; the first line may be the time of writing alone."""
    for _ in range(2):
        names = [name.strip().casefold() for name in next(reader, [])]
        if all(name in names for name in _NEEDED):
            return {name: place for place, name in reversed(list(enumerate(names)))}
    raise DecodeError(f"the table has no line with the columns {', '.join(_NEEDED)}")


def _object_of_row(row: list[str], columns: Mapping[str, int]) -> ReportedObject | str:
    if len(row) < len(columns):
        return f"{len(row)} cells under {len(columns)} columns"
    return _object({name: row[place].replace("\x00", "").strip() for name, place in columns.items()})


def _object(words: Mapping[str, str]) -> ReportedObject | str:
    """Return the object of an entry's words, or the sentence why there is none."""
    name, prefix = words["name"], words.get("name_prefix", "")
    ra, dec = _number(words["ra"]), _number(words["declination"])
    if _NAME.fullmatch(name) is None:
        return f"{name[:40]!r} is not the name of an object"
    if ra is None or dec is None or not (0 <= ra < 360 and -90 <= dec <= 90):
        return f"{name} has no place on the sky"
    redshift = _number(words.get("redshift", ""))
    modified = words.get("lastmodified", "")
    internal = [part.strip()[:100] for part in words.get("internal_names", "").split(",")]
    return ReportedObject(
        registry=REGISTRY,
        name=name,
        prefix=prefix if _PREFIX.fullmatch(prefix) else "",
        ra_deg=ra,
        dec_deg=dec,
        classification=words.get("type", "")[:60] or None,
        redshift=redshift if redshift is not None and -0.1 < redshift < _LARGEST_Z else None,
        host=words.get("hostname", "")[:100] or None,
        internal_names=tuple(dict.fromkeys(part for part in internal if part))[:MAX_NAMES],
        discovered_at=_instant(words.get("discoverydate", "")),
        discovery_mag=_number(words.get("discoverymag", "")),
        discovery_filter=words.get("filter", "")[:40] or None,
        reported_by=words.get("reporting_group", "")[:100] or None,
        modified_at=_instant(modified),
        version=modified[:40] or _digest(words),
    )


def _digest(words: Mapping[str, str]) -> str:
    """Return a version for an entry that does not say when it was changed."""
    return hashlib.sha256(repr(sorted(words.items())).encode("utf-8", "backslashreplace")).hexdigest()[:12]


def _named(value: Any, member: str) -> str | None:
    found = value.get(member) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _joined(names: tuple[str, ...]) -> str | None:
    return ",".join(names) or None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e6 else None


def _instant(text: str) -> Instant | None:
    try:
        return Instant.from_utc_iso(text)
    except (ValueError, OverflowError):
        return None
