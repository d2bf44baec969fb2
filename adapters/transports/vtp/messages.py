"""What a message is, told by its root element: a Transport document for this layer, or something for the hub.

Of an event only the start tag of its root is read here, no matter how long the rest is; what the event says is for others to
decode. Both namespaces of Transport in use are accepted (Comet's and that of NASA's GCN), by going by the local name.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

from hub.errors import DecodeError
from hub.model.instant import Instant
from hub.text import printable

NAMESPACE = "http://www.telescope-networks.org/xml/Transport/v1.1"
"""Of the Transport documents that are written; Comet's."""

UNREADABLE = "ivo://unknown/unreadable"
"""What an answer calls a message in which no ivorn can be found."""

MAX_TRANSPORT_BYTES = 64 << 10
"""Longest Transport document that is read, bytes; real ones have 0.4 kB, with filters a few."""

MAX_IVORN_CHARS = 1_000
"""Longest identifier that is repeated."""

_HEAD_BYTES = 64 << 10  # the root's start tag must end within these
_MAX_ELEMENTS = 1_000
_MAX_PARAMS = 64
_MAX_RESULT_CHARS = 500
_ENCODINGS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "iso-8859-15", "windows-1252"})
_DECLARATION = re.compile(rb"<\?xml\b[^>]{0,500}\?>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([^\"']{0,60})[\"']")
_IVORN = re.compile(rb"\bivorn\s*=\s*[\"'](ivo://[\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]{1,1000})[\"']")


class TransportRole(StrEnum):
    """What a Transport document is for."""

    IAMALIVE = "iamalive"
    """The connection is looked after; to be answered with the same."""

    AUTHENTICATE = "authenticate"
    """A broker asks who is there; the answer may carry filters."""

    ACK = "ack"
    """An event has arrived."""

    NAK = "nak"
    """An event is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportMessage:
    """A Transport document, as far as it concerns the hub."""

    role: TransportRole
    origin: str
    """In a question the identifier of its sender, in an answer what it answers: the ivorn of an event for ack and nak."""

    response: str | None
    """Identifier of who answers; None in a question."""

    result: str | None
    """Reason of a nak."""

    params: tuple[tuple[str, str], ...]
    """Names and values of Meta; an old-style ``<filter type="xpath">`` counts as a Param ``xpath-filter``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHead:
    """What the start tag of a VOEvent tells."""

    ivorn: str
    role: str
    """As written; ``observation`` where there is none."""

    version: str
    """As written, else from the namespace; may be empty."""


def read(payload: bytes) -> TransportMessage | EventHead:
    """Return what a message is.

    Raises
    ------
    DecodeError
        It is neither a Transport document nor a VOEvent with an ivorn, or breaks a limit; with one sentence why.
    """
    document = _checked(payload)
    name, namespace, attributes = _root(document)
    if name == "Transport":
        return _transport(document)
    if name != "VOEvent":
        raise DecodeError(f"the XML root is {name}, neither VOEvent nor Transport")
    ivorn = attributes.get("ivorn", "").strip()
    if not ivorn.lower().startswith("ivo://") or not len("ivo://") < len(ivorn) <= MAX_IVORN_CHARS:
        raise DecodeError("the VOEvent has no usable ivorn")
    version = attributes.get("version", "").strip() or (namespace.rpartition("/v")[2] if "/VOEvent/v" in namespace else "")
    return EventHead(ivorn=ivorn, role=attributes.get("role", "observation").strip(), version=version)


def ivorn_in(payload: bytes) -> str:
    """Return the ivorn by which to answer a message that cannot be read: searched for in its bytes.

    >>> ivorn_in(b'<VOEvent ivorn="ivo://a.b/c#1"> & <')
    'ivo://a.b/c#1'
    """
    found = _IVORN.search(payload[:_HEAD_BYTES])
    return found[1].decode("ascii") if found else UNREADABLE


def iamalive(local: str, at: Instant, *, to: str | None = None) -> bytes:
    """Return a question whether the peer lives, or with ``to`` (the asker's identifier) the answer to one."""
    return _written(TransportRole.IAMALIVE, local, at, to)


def authenticate(local: str, at: Instant, *, to: str | None = None, params: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return a broker's question who is there, or with ``to`` (the broker's identifier) the answer with its filters."""
    return _written(TransportRole.AUTHENTICATE, local, at, to, params=params)


def ack(local: str, at: Instant, *, ivorn: str) -> bytes:
    """Return the answer that an event has arrived and is safe."""
    return _written(TransportRole.ACK, local, at, ivorn)


def nak(local: str, at: Instant, *, ivorn: str, reason: str) -> bytes:
    """Return the answer that an event is refused, and why."""
    return _written(TransportRole.NAK, local, at, ivorn, result=printable(reason)[:_MAX_RESULT_CHARS])


def _checked(payload: bytes) -> bytes:
    """Return the document in an encoding whose markup is single bytes, without what must not reach a parser."""
    if payload[:2] in (b"\xff\xfe", b"\xfe\xff"):
        document = _DECLARATION.sub(b"", payload.decode("utf-16", "replace").encode("utf-8", "replace").strip(), count=1).strip()
    else:
        document = payload.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\0")
    if not document.startswith(b"<"):
        raise DecodeError("the message is no XML" if document else "the message is empty")
    declaration = _DECLARATION.match(document)
    encoding = _ENCODING.search(declaration[0]) if declaration else None
    if encoding is not None and encoding[1].decode("latin-1").lower() not in _ENCODINGS:
        raise DecodeError(f"the encoding {encoding[1].decode('latin-1')} is not accepted")
    if b"<!DOCTYPE" in document[:_HEAD_BYTES] or b"<!ENTITY" in document[:_HEAD_BYTES]:
        raise DecodeError("the message declares a DOCTYPE or entities, which are refused")
    return document


class _FirstTag:
    """A parser target that keeps the first element it meets."""

    def __init__(self) -> None:
        self.tag = ""
        self.attributes: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.tag:
            self.tag, self.attributes = tag, dict(attributes)

    def close(self) -> None:
        """Nothing is built."""


def _root(document: bytes) -> tuple[str, str, dict[str, str]]:
    """Return local name, namespace and attributes of the root, from the first bytes of the document."""
    target = _FirstTag()
    parser = etree.XMLParser(
        target=target,  # type: ignore[arg-type] # lxml calls only the methods that a target has
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    try:
        parser.feed(document[:_HEAD_BYTES])
    except (etree.LxmlError, ValueError, LookupError) as error:
        if not target.tag:  # what follows the root's start tag is not for here to judge
            raise DecodeError(f"the XML is not well-formed: {_first_line(error)}") from error
    if not target.tag:
        raise DecodeError("the XML breaks off before its root element is complete")
    name = etree.QName(target.tag)
    return name.localname, name.namespace or "", target.attributes


def _transport(document: bytes) -> TransportMessage:
    if len(document) > MAX_TRANSPORT_BYTES:
        raise DecodeError(f"the Transport document has {len(document)} bytes, more than the {MAX_TRANSPORT_BYTES} allowed")
    if document.count(b"<") > 2 * _MAX_ELEMENTS:
        raise DecodeError(f"the Transport document has more than {_MAX_ELEMENTS} elements")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise DecodeError(f"the Transport document is not well-formed: {_first_line(error)}") from error
    role = (root.get("role") or "").strip()
    if role not in set(TransportRole):
        raise DecodeError(f"the Transport document has the role {role[:40]!r}, which the protocol does not know")
    return TransportMessage(
        role=TransportRole(role),
        origin=(_text(root, "Origin") or "")[:MAX_IVORN_CHARS],
        response=(_text(root, "Response") or "")[:MAX_IVORN_CHARS] or None,
        result=(_text(root, "Meta", "Result") or "")[:_MAX_RESULT_CHARS] or None,
        params=_params(root),
    )


def _params(root: etree._Element) -> tuple[tuple[str, str], ...]:
    found = []
    for meta in _children(root, "Meta"):
        found += [(element.get("name") or "", element.get("value") or "") for element in _children(meta, "Param")]
        old = [element for element in _children(meta, "filter") if element.get("type") == "xpath"]
        found += [("xpath-filter", element.text or "") for element in old]
    return tuple(found[:_MAX_PARAMS])


def _children(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in element if _local_name(child) == name]


def _local_name(element: etree._Element) -> str:
    tag: object = element.tag  # a function for entity references
    return etree.QName(tag).localname if isinstance(tag, str) else ""


def _text(root: etree._Element, *path: str) -> str | None:
    element = root
    for name in path:
        inner = _children(element, name)
        if not inner:
            return None
        element = inner[0]
    return (element.text or "").strip() or None


def _written(
    role: TransportRole,
    local: str,
    at: Instant,
    to: str | None,
    *,
    result: str | None = None,
    params: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """Write a Transport document; the order of its elements is demanded by the schema (transport-1.1.xsd)."""
    root = etree.Element(f"{{{NAMESPACE}}}Transport", {"role": role.value, "version": "1.0"}, nsmap={"trn": NAMESPACE})
    etree.SubElement(root, "Origin").text = _fit(to or local)
    if to is not None:
        etree.SubElement(root, "Response").text = _fit(local)
    etree.SubElement(root, "TimeStamp").text = f"{at.to_utc_iso()[:19].replace(':60', ':59')}Z"
    if params or result is not None or (role is TransportRole.AUTHENTICATE and to is not None):
        meta = etree.SubElement(root, "Meta")
        for name, value in params:
            etree.SubElement(meta, "Param", {"name": _fit(name), "value": _fit(value)})
        if result is not None:
            etree.SubElement(meta, "Result").text = _fit(result)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _fit(text: str) -> str:
    """Return text that XML can hold."""
    return printable(text).replace("\ufffe", "").replace("\uffff", "")


def _first_line(error: Exception) -> str:
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return line[:200].rstrip(". ")
