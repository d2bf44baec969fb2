"""Small VOEvents of our own making, for tests of codecs and flows."""

from xml.sax.saxutils import escape, quoteattr

NAMESPACES = {
    "1.1": "http://www.ivoa.net/xml/VOEvent/v1.1",
    "2.0": "http://www.ivoa.net/xml/VOEvent/v2.0",
    "2.1": "http://www.ivoa.net/xml/VOEvent/v2.1",
}


def voevent(
    *,
    ivorn="ivo://nasa.gsfc.gcn/TEST#Packet_1-001",
    role="observation",
    version="2.0",
    prefix="voe",
    params=None,
    groups=None,
    time="2024-01-02T03:04:05.67",
    coord_system="UTC-FK5-GEO",
    position=(10.0, 20.0, 0.5),
    date="2024-01-02T03:05:00",
    cites=(),
    author="ivo://nasa.gsfc.tan/gcn",
    names=(),
    concepts=("process.variation.burst;em.gamma",),
    inside="",
):
    """Return the bytes of a VOEvent; params: name to value or (value, unit); groups: name to such a mapping."""
    tag = f"{prefix}:VOEvent" if prefix else "VOEvent"
    namespace = f"xmlns:{prefix}" if prefix else "xmlns"
    where = ""
    if position is not None:
        ra, dec, error = position
        where = (
            f'<Position2D unit="deg"><Name1>RA</Name1><Name2>Dec</Name2><Value2><C1>{ra}</C1><C2>{dec}</C2></Value2>'
            f"<Error2Radius>{error}</Error2Radius></Position2D>"
        )
    what = _params(params or {}) + "".join(
        f"<Group name={quoteattr(name)}>{_params(inner)}</Group>" for name, inner in (groups or {}).items()
    )
    citations = "".join(f"<EventIVORN cite={quoteattr(kind)}>{escape(cited)}</EventIVORN>" for cited, kind in cites)
    why = "".join(f"<Name>{escape(name)}</Name>" for name in names) + "".join(f"<Concept>{escape(c)}</Concept>" for c in concepts)
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n"
        f'<{tag} {namespace}="{NAMESPACES[version]}" ivorn={quoteattr(ivorn)} role="{role}" version="{version}">'
        f"<Who><AuthorIVORN>{author}</AuthorIVORN><Date>{date}</Date></Who><What>{what}</What>"
        f'<WhereWhen><ObsDataLocation><ObservatoryLocation id="GEOLUN"/><ObservationLocation>'
        f'<AstroCoordSystem id="{coord_system}"/><AstroCoords coord_system_id="{coord_system}">'
        f'<Time unit="s"><TimeInstant><ISOTime>{time}</ISOTime></TimeInstant></Time>{where}'
        f"</AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>"
        f"<Why><Inference>{why}</Inference></Why>"
        f"{f'<Citations>{citations}</Citations>' if citations else ''}{inside}</{tag}>"
    ).encode()


def _params(params):
    written = ""
    for name, value in params.items():
        text, unit = value if isinstance(value, tuple) else (value, None)
        written += f"<Param name={quoteattr(name)} value={quoteattr(str(text))}{f' unit={quoteattr(unit)}' if unit else ''}/>"
    return written
