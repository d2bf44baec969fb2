"""A VOEvent packet as plain words: every version, every namespace prefix, read by local name."""

from dataclasses import dataclass

from lxml import etree

from adapters.codecs.voevent import xml
from adapters.codecs.voevent.xml import child, children, text
from hub.errors import DecodeError, NotAMessage

VERSIONS = ("1.1", "2.0", "2.1")
"""Versions of the standard that are read."""

MAX_IVORN_CHARS = 1_000
"""Longest identifier that is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One value of What."""

    name: str
    """Empty where the packet gives no name."""

    value: str
    unit: str | None
    ucd: str | None
    group: str | None
    """Name of the Group or Table around it; None at the top level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhereWhen:
    """Where and when, as written: no number is interpreted yet."""

    coord_system: str
    """E.g. ``UTC-FK5-GEO``; empty where the packet gives none."""

    time: str | None
    unit: str
    """Unit of the position, ``deg`` where the packet gives none."""

    ra: str | None
    dec: str | None
    error_radius: str | None
    errors: tuple[str, str] | None
    """Separate errors of both coordinates (2.1, Error2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """One inference of Why."""

    probability: str | None
    relation: str | None
    names: tuple[str, ...]
    concepts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What the author thinks that it is."""

    importance: str | None
    expires: str | None
    names: tuple[str, ...]
    concepts: tuple[str, ...]
    inferences: tuple[Inference, ...]

    @property
    def all_names(self) -> tuple[str, ...]:
        """Names, also those inside inferences."""
        return self.names + tuple(name for inference in self.inferences for name in inference.names)

    @property
    def all_concepts(self) -> tuple[str, ...]:
        """Concepts, also those inside inferences."""
        return self.concepts + tuple(concept for inference in self.inferences for concept in inference.concepts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedIvorn:
    """One EventIVORN of Citations, as written."""

    ivorn: str
    """May be empty."""

    cite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One VOEvent."""

    ivorn: str
    role: str
    """As written, also where the standard does not know the word; ``observation`` where there is none."""

    version: str
    author_ivorn: str | None
    date: str | None
    description: str | None
    params: tuple[Param, ...]
    """In document order, those of groups and tables included."""

    wherewhen: WhereWhen | None
    """The first observation location; an observatory's own place is not one."""

    further_locations: int
    """How many more observation locations the packet has."""

    why: Why
    how: tuple[str, ...]
    """Descriptions of How."""

    references: tuple[str, ...]
    """Addresses of all References, wherever they stand; never followed."""

    citations: tuple[CitedIvorn, ...]

    @property
    def authority(self) -> str:
        """The ivorn's part between ``ivo://`` and the first slash, lower case."""
        return self.ivorn[6:].split("/")[0].split("#")[0].split("?")[0].lower()

    @property
    def resource(self) -> str:
        """The ivorn's part between authority and local part, lower case."""
        return self.ivorn[6:].split("#")[0].split("?")[0].partition("/")[2].lower()

    @property
    def local_id(self) -> str:
        """The ivorn's part after ``#`` (2.1: after ``?``); the whole resource where there is none."""
        for mark in ("#", "?"):
            if mark in self.ivorn:
                return self.ivorn.partition(mark)[2]
        return self.ivorn[6:]

    def get(self, name: str, group: str | None = None) -> str | None:
        """Return the value of a Param: at the top level first, then in the groups; None where it is absent or empty."""
        found = [param for param in self.params if param.name == name and (group is None or param.group == group)]
        found.sort(key=lambda param: param.group is not None)
        return next((param.value for param in found if param.value), None)

    def param(self, name: str) -> Param | None:
        """Return a Param with its unit: at the top level first, then in the groups."""
        found = [param for param in self.params if param.name == name]
        return min(found, key=lambda param: param.group is not None, default=None)


def read_packet(root: etree._Element) -> Packet:
    """Return what a VOEvent element says.

    Raises
    ------
    NotAMessage
        The root is no VOEvent.
    DecodeError
        It has no ivorn, or a version that is not read.
    """
    name = xml.local_name(root)
    if name != "VOEvent":
        raise NotAMessage(f"not a message: the XML root is {name[:60]}, no VOEvent", format=xml.FORMAT)
    version = _version(root)
    ivorn = (root.get("ivorn") or "").strip()
    if not ivorn.lower().startswith("ivo://") or not 6 < len(ivorn) <= MAX_IVORN_CHARS:
        raise DecodeError("the VOEvent has no usable ivorn", format=f"voevent-{version}")
    locations = [
        found for data in children(child(root, "WhereWhen"), "ObsDataLocation") for found in children(data, "ObservationLocation")
    ]
    # Version 1.1 writes the location without the ObsDataLocation around it as well.
    locations += children(child(root, "WhereWhen"), "ObservationLocation")
    return Packet(
        ivorn=ivorn,
        role=(root.get("role") or "observation").strip(),
        version=version,
        author_ivorn=text(root, "Who", "AuthorIVORN"),
        date=text(root, "Who", "Date"),
        description=text(root, "Description") or text(root, "What", "Description"),
        params=_params(child(root, "What")),
        wherewhen=_wherewhen(locations[0]) if locations else None,
        further_locations=max(len(locations) - 1, 0),
        why=_why(child(root, "Why")),
        how=tuple(t for d in children(child(root, "How"), "Description") if (t := text(d))),
        references=tuple(dict.fromkeys(uri for e in root.iter() if xml.local_name(e) == "Reference" and (uri := e.get("uri")))),
        citations=tuple(
            CitedIvorn(ivorn=text(e) or "", cite=e.get("cite") or "followup")
            for e in children(child(root, "Citations"), "EventIVORN")
        ),
    )


def _version(root: etree._Element) -> str:
    version = (root.get("version") or "").strip()
    namespace = etree.QName(root).namespace or ""
    if not version:  # the namespace http://www.ivoa.net/xml/VOEvent/v2.0 says it as well
        version = namespace.rpartition("/v")[2] if "/VOEvent/v" in namespace else ""
    if not version:
        raise DecodeError("the VOEvent states no version", format=xml.FORMAT)
    if version not in VERSIONS:
        raise DecodeError(f"VOEvent version {version[:20]} is not read, only {', '.join(VERSIONS)}", format=xml.FORMAT)
    return version


def _params(what: etree._Element | None) -> tuple[Param, ...]:
    found = []
    for element in what if what is not None else ():
        if xml.local_name(element) == "Param":
            found.append(_param(element, None))
        elif xml.local_name(element) in ("Group", "Table"):  # a table may have Params beside its columns
            found.extend(_param(inner, element.get("name") or element.get("type") or "") for inner in children(element, "Param"))
    return tuple(found)


def _param(element: etree._Element, group: str | None) -> Param:
    value = element.get("value")
    return Param(
        name=(element.get("name") or "").strip(),
        value=(value if value is not None else text(element, "Value") or "").strip(),
        unit=element.get("unit"),
        ucd=element.get("ucd"),
        group=group,
    )


def _wherewhen(location: etree._Element) -> WhereWhen:
    coords = child(location, "AstroCoords")
    system = child(location, "AstroCoordSystem")
    place = child(coords, "Position2D")
    value = child(place, "Value2")
    if place is None:
        place = child(coords, "Position3D")
        value = child(place, "Value3")
    errors = child(place, "Error2")
    pair = (text(errors, "C1"), text(errors, "C2"))
    return WhereWhen(
        coord_system=(
            (None if coords is None else coords.get("coord_system_id")) or (None if system is None else system.get("id")) or ""
        )
        .strip()
        .upper(),
        time=text(coords, "Time", "TimeInstant", "ISOTime") or text(coords, "Time", "TimeInterval", "ISOTimeStart"),
        unit=((None if place is None else place.get("unit")) or "deg").strip().lower(),
        ra=text(value, "C1"),
        dec=text(value, "C2"),
        error_radius=text(place, "Error2Radius"),
        errors=(pair[0], pair[1]) if pair[0] is not None and pair[1] is not None else None,
    )


def _why(why: etree._Element | None) -> Why:
    return Why(
        importance=None if why is None else why.get("importance"),
        expires=None if why is None else why.get("expires"),
        names=_texts(why, "Name"),
        concepts=_texts(why, "Concept"),
        inferences=tuple(
            Inference(
                probability=element.get("probability"),
                relation=element.get("relation"),
                names=_texts(element, "Name"),
                concepts=_texts(element, "Concept"),
            )
            for element in children(why, "Inference")
        ),
    )


def _texts(element: etree._Element | None, name: str) -> tuple[str, ...]:
    return tuple(found for inner in children(element, name) if (found := text(inner)))
