"""Alert streams as data: a TOML file says which field of a packet is what, and what the stream leaves out of its survey.

The files that the hub ships lie in ``conf/streams``; docs/how-to/add-a-stream.md tells how to write another.
"""

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from adapters.schema_registry import checked
from hub import resources
from hub.errors import ConfigError, DecodeError
from hub.model.coverage import ASPECTS, AlertStream, SelectionKind
from hub.model.coverage import Selection as StreamSelection

FOLDER = "conf/streams"
"""Where the shipped maps lie."""

MAX_BYTES = 1 << 16
"""Longest map, bytes."""

PATH = re.compile(r"(?:row\.)?[A-Za-z0-9_:-]+(?:\.[A-Za-z0-9_:-]+)*")
"""A field: names with dots between, a number for an item of a list; ``row.`` begins one of the item that ``[row]`` picks."""


class Table(BaseModel):
    """One table of a map: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


FieldPath = Annotated[str, Field(pattern=rf"^{PATH.pattern}$", max_length=200)]
"""Where a value stands in a packet."""

Paths = Annotated[tuple[FieldPath, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=8)]
"""One path, or several of which the first that has a value counts."""

Wire = Literal["confluent-avro", "avro-container", "avro-schemaless", "json", "bson-zlib"]
"""How packets are written: ``confluent-avro`` names its schema by number, a container brings it along."""

Wires = Annotated[tuple[Wire, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
"""One form, or several that the first bytes tell apart."""

Scale = Literal["mjd_tai", "mjd_utc", "jd_utc", "jd_tai", "unix_s_utc", "iso_utc"]
"""How a time is written."""

Unit = Literal["nJy", "uJy", "mJy", "Jy", "AB mag"]
"""How a brightness is written."""


class RowTable(Table):
    """For a message that is a list of detections: the newest item of the list is the alert."""

    list: FieldPath
    forced: FieldPath | None = None
    """Items where this is true are forced photometry, no detections."""


class IdTable(Table):
    """What the detection and its object are called."""

    source: Paths | None = None
    """The survey's id of the detection, a whole number; None where the packet has none and the hub makes one."""

    source_prefix: str = ""
    """Text before the number."""

    source_positive: bool = False
    """Whether ids below zero are refused."""

    object: Paths
    object_required: bool = False
    """Whether an alert without an object is refused."""

    @model_validator(mode="after")
    def _has_a_prefix_of_something(self) -> "IdTable":
        if self.source_prefix and self.source is None:
            raise ValueError("source_prefix stands before the number in `source`, but there is no key source")
        if self.source_prefix[-1:].isdigit() or self.source_prefix.endswith("-"):
            raise ValueError(f"source_prefix {self.source_prefix[:40]!r} would cut digits or the sign off the number behind it")
        return self


class PositionTable(Table):
    """ICRS, degrees."""

    ra: Paths
    dec: Paths

    @model_validator(mode="after")
    def _has_two_coordinates(self) -> "PositionTable":
        if both := [path for path in self.ra if path in self.dec]:
            raise ValueError(f"{both[0]} cannot be right ascension and declination at once")
        return self


class TimeTable(Table):
    """When it was exposed."""

    field: Paths
    scale: Scale
    at: Literal["middle", "start"] = "middle"
    """What of the exposure the time tells."""

    exposure_s: Paths | None = None
    """Where the length of the exposure stands, seconds; for ``at = "start"``."""

    exposure_default_s: float = Field(0.0, ge=0, le=3600)
    """Where the packet does not say, seconds."""

    first: Paths | None = None
    """When the object was first detected."""

    first_scale: Scale | None = None
    """Of ``first``; as ``scale`` where it is not said."""


class BrightnessTable(Table):
    """Difference flux or its magnitude."""

    field: Paths | None = None
    unit: Unit
    error: Paths | None = None
    """In the same unit, or in magnitudes."""

    snr: Paths | None = None
    """Signal-to-noise ratio; from the error of a magnitude where it is not named."""

    positive: Paths | None = None
    """Sign of the subtraction: true, 1, ``t``, or false, 0, -1, ``f``."""

    @model_validator(mode="after")
    def _says_where(self) -> "BrightnessTable":
        if self.field is None and self.error is not None:
            raise ValueError("error is that of the brightness in `field`, but there is no key field")
        if self.field is None and self.snr is None and self.positive is None:
            raise ValueError("the key field is missing: where the brightness stands")
        return self


class BandTable(Table):
    """The filter."""

    field: Paths
    names: dict[str, Annotated[str, Field(max_length=4)]] = {}
    """What the packet writes, to the band; without any, what it writes is the band."""


class QualityTable(Table):
    """What the survey thinks of the detection."""

    reliability: Paths | None = None
    """Real-bogus score, 0 to 1; below 0 is none."""

    negative: Paths | None = None
    """Whether the source is negative; from the sign of the subtraction or of the flux where it is not said."""

    saturated: Paths | None = None


class SolarSystemTable(Table):
    """How a known solar-system object is told: any of these fields says something else than 0, false, "" or "null"."""

    field: Paths
    distance: FieldPath | None = None
    """How far away it is, arcsec: only one nearer than ``within_arcsec`` is the source."""

    within_arcsec: float = Field(5.0, gt=0, le=60)


class HistoryTable(Table):
    """Earlier detections of the object."""

    list: Paths
    time: Paths
    """In an item of the list."""

    scale: Scale | None = None
    """Of that time; as in ``[time]`` where it is not said."""

    detection: FieldPath | None = None
    """In an item: null where it is no detection; items without the field are detections."""

    earlier_only: bool = True
    """Whether items that are no earlier than the alert are left out."""


class MissingTable(Table):
    """What stands for "not known", besides null and NaN."""

    numbers: tuple[float, ...] = ()
    texts: tuple[str, ...] = ("",)


class AnnotationTable(Table):
    """Something that the broker says of the object."""

    field: FieldPath
    kind: Literal["classification", "redshift", "name", "host"]
    """As `hub.model.annotation.AnnotationKind`."""

    label: str = Field("", max_length=80)
    """The class of which the field is the probability; empty where the field is the class."""

    source: str = Field(min_length=1, max_length=40)
    version: FieldPath | None = None
    """Where the version of the broker's software stands."""


class SelectionTable(Table):
    """What the stream leaves out."""

    kind: SelectionKind
    cuts: str = Field("", max_length=200)
    filter_name: str | None = None
    reliability_min: float | None = Field(None, ge=0, le=1)
    snr_min: float | None = Field(None, ge=0)
    classes: tuple[str, ...] = ()
    sky: str | None = None
    delay_s: float | None = Field(None, ge=0)
    independent_of: tuple[Literal["light curve", "brightness", "reliability"], ...] = ()
    """What the filter pays no regard to; without a word the hub believes that it may choose by everything."""

    not_claimed: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_its_cuts(self) -> "SelectionTable":
        if self.kind is SelectionKind.FILTERED and not self.cuts.strip():
            raise ValueError("a filtered stream says in `cuts`, in words, what its filter lets through")
        if self.reliability_min is not None and "reliability" in self.independent_of:
            raise ValueError("a filter with reliability_min is not independent of the reliability")
        if self.snr_min is not None and "brightness" in self.independent_of:
            raise ValueError("a filter with snr_min is not independent of the brightness")
        if self.classes and set(ASPECTS) <= set(self.independent_of):
            raise ValueError("classes are told by something: a filter with classes is not independent of everything")
        limits = (self.reliability_min, self.snr_min, self.sky)
        if self.kind is SelectionKind.FULL and (self.classes or any(one is not None for one in limits)):
            raise ValueError("a full stream has no cuts; say kind = 'filtered'")
        return self


class TestedTable(Table):
    """Which real bytes the map was tried on."""

    __test__ = False  # pytest would take the name for a test's

    against: str = "untested"
    """What was read with it, in words; ``untested`` for a map that was written from documentation alone."""

    written_from: str = ""
    """Where its author had the field names from."""


class StreamMap(Table):
    """One alert stream."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    """Small letters, digits and dashes; of a shipped map the name of its file."""

    title: str = Field(min_length=1, max_length=120)
    survey: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,15}$")
    """``LSST``, ``ZTF`` ...; alerts of one survey from several streams are the same alerts."""

    wire: Wires
    reader: Literal["mapped", "lsst", "ztf"] = "mapped"
    """``mapped`` reads by this file; the others are faster readers that the hub has for the surveys' own packets."""

    schema_names: tuple[str, ...] = ()
    """Names of the Avro record that packets hold, with ``*`` for any text; none for any record."""

    schema_file: str | None = None
    """For ``avro-schemaless``: an Avro schema, beside this file; without one the schema comes in the key of the message."""

    schema_text: str | None = Field(None, exclude=True)
    """What is in the schema file, in parsing canonical form and found harmless; not for writing into a map."""

    row: RowTable | None = None
    id: IdTable
    position: PositionTable
    time: TimeTable
    brightness: BrightnessTable | None = None
    band: BandTable | None = None
    quality: QualityTable = QualityTable()
    solar_system: SolarSystemTable | None = None
    history: HistoryTable | None = None
    missing: MissingTable = MissingTable()
    annotations: tuple[AnnotationTable, ...] = Field((), max_length=50)
    selection: SelectionTable
    tested: TestedTable = TestedTable()

    @model_validator(mode="after")
    def _is_consistent(self) -> "StreamMap":
        if self.row is None and (bad := next((path for path in _paths(self) if path.startswith("row.")), None)):
            raise ValueError(f"{bad} is a field of a row, but there is no table [row]")
        if self.time.at == "start" and not (self.time.exposure_s or self.time.exposure_default_s):
            raise ValueError("a time at the start of an exposure needs its length: time.exposure_s or time.exposure_default_s")
        if self.schema_file is not None and "avro-schemaless" not in self.wire:
            raise ValueError("schema_file is for wire = 'avro-schemaless'")
        if self.schema_text is not None:
            raise ValueError("there is no key schema_text")
        if self.reader == "lsst" and self.survey != "LSST":
            raise ValueError("the reader 'lsst' is for the survey LSST")
        if self.reader == "ztf" and self.survey != "ZTF":
            raise ValueError("the reader 'ztf' is for the survey ZTF")
        return self

    def stream(self) -> AlertStream:
        """Return what the core must know of the stream."""
        said = self.selection
        return AlertStream(
            name=self.name,
            survey=self.survey,
            selection=StreamSelection(**said.model_dump()),
            tells_past=self.time.first is not None or self.history is not None,
            own_ids=self.id.source is None,
        )


def shipped() -> dict[str, StreamMap]:
    """Return the maps of ``conf/streams`` by name."""
    names = [name for name in resources.listing(FOLDER) if name.endswith(".toml")]
    found = [parse(resources.read_bytes(name), where=name) for name in names]
    for one, name in zip(found, names, strict=True):
        if PurePosixPath(name).stem != one.name:
            raise ConfigError(f"{name}: the map calls itself {one.name!r}")
    return {one.name: one for one in found}


def read_file(path: Path) -> StreamMap:
    """Return the map of a user's file.

    Raises
    ------
    ConfigError
        It cannot be read, or what is wrong with it, key by key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: the stream map cannot be read: {error.strerror}") from error
    found = parse(data, where=str(path))
    if found.schema_file is None:
        return found
    try:
        schema = checked((path.parent / found.schema_file).read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: schema_file: {found.schema_file} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise ConfigError(f"{path}: schema_file: {found.schema_file}: {error.reason}") from error
    return found.model_copy(update={"schema_text": json.dumps(schema)})


def read_folder(folder: Path) -> dict[str, StreamMap]:
    """Return the maps of a folder of a user's; a name that is shipped, too, hides the shipped map."""
    if not folder.is_dir():
        raise ConfigError(f"intake.streams_dir: there is no folder {folder}")
    found: dict[str, StreamMap] = {}
    for path in sorted(folder.glob("*.toml")):
        one = read_file(path)
        if one.name in found:
            raise ConfigError(f"{path}: another map in this folder is called {one.name!r}")
        found[one.name] = one
    return found


def load(streams_dir: Path | None = None, wanted: Iterable[str] = ()) -> dict[str, StreamMap]:
    """Return all maps by the names that settings use: those that are shipped, a user's folder, and files that are named by path.

    Raises
    ------
    ConfigError
        A map is wrong, or a name is none.
    """
    maps = shipped() | (read_folder(streams_dir) if streams_dir is not None else {})
    for name in wanted:
        if name.endswith(".toml"):
            maps[name] = read_file(Path(name))
        elif name not in maps:
            raise ConfigError(f"stream {name!r}: there is no such stream map; there are {', '.join(sorted(maps))}")
    return maps


def parse(data: bytes, *, where: str) -> StreamMap:
    """Return the map of a TOML text.

    Raises
    ------
    ConfigError
        What is wrong with it: the file, the key, and why.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{where}: the stream map has {len(data)} bytes, more than the {MAX_BYTES} allowed")
    try:
        table = tomllib.loads(data.decode())
        return StreamMap.model_validate(table)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: the stream map is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: the stream map is no TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(where, one) for one in error.errors())) from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, tables a thousand deep
        raise ConfigError(f"{where}: the stream map cannot be read ({type(error).__name__})") from error


def _sentence(where: str, error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no key {key}"
    if error["type"] == "missing":
        return f"{where}: the key {key} is missing"
    said = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch" and key.split(".")[0] not in ("name", "survey"):
        said = f"{str(error['input'])[:60]!r} is no field: write names with dots between, e.g. candidate.ra"
    return f"{where}: {key}: {said}" if key else f"{where}: {said}"


def _paths(one: StreamMap) -> Iterable[str]:
    """Yield the paths that a map reads in a packet."""
    tables: list[Table | None] = [one.id, one.position, one.time, one.brightness, one.band, one.quality, one.solar_system]
    for table in (*tables, *one.annotations):
        for value in () if table is None else table.model_dump().values():
            yield from value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
