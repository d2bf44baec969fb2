"""Bytes to an XML tree, or a refusal in one sentence: the only place where VOEvent bytes meet a parser.

What is refused, and why, was measured: a million elements cost 555 MB, one element with 200,000 attributes 202 MB, and a parser
with default options expands entities. So the length, the number of tags and the number of attributes are counted in the raw
bytes, before there is a tree; any DOCTYPE is refused.
"""

import re

from lxml import etree

from hub.errors import DecodeError, NotAMessage

MAX_BYTES = 1 << 20
"""Longest document that is parsed, bytes; real VOEvents have 0.5 to 10 kB."""

MAX_ELEMENTS = 20_000
"""Most elements in a document."""

MAX_ATTRIBUTES = 1_000
"""Most attributes of one element."""

MAX_DEPTH = 64
"""Deepest nesting of elements."""

FORMAT = "voevent"
"""Format that a refusal names before the version is known."""

_ENCODINGS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "iso-8859-15", "windows-1252"})
# In these < = and quotes are single bytes, so that counting in the raw bytes sees what the parser will see (UTF-7 hides them).
_DECLARATION = re.compile(rb"<\?xml\b[^>]{0,500}\?>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_START_TAG = re.compile(rb"<[A-Za-z_:\x80-\xff][^<]*")
_ATTRIBUTE = re.compile(rb"=\s*[\"']")
_HTML = re.compile(rb"<!doctype\s+html\b", re.IGNORECASE)
_FOREIGN_WORDS = re.compile(r" \(<string>, line \d+\)$|, use XML_PARSE_HUGE option")
_SENTENCE_CHARS = 200


def read_root(payload: bytes) -> etree._Element:
    """Return the root element of a document that keeps all limits.

    Raises
    ------
    NotAMessage
        The bytes are no XML at all.
    DecodeError
        They are XML that is malformed or breaks a limit.
    """
    document = _as_ascii_compatible(payload)
    _check_before_parsing(document)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise DecodeError(f"the XML is not well-formed: {_first_line(error)}", format=FORMAT) from error
    _check_tree(root)
    return root


def local_name(element: etree._Element) -> str:
    """Return the name of an element without its namespace; empty for anything but an element."""
    tag: object = element.tag  # a function for comments and entity references
    return etree.QName(tag).localname if isinstance(tag, str) else ""


def children(element: etree._Element | None, name: str) -> list[etree._Element]:
    """Return the children of an element that have a local name, none where there is no element."""
    return [] if element is None else [child for child in element if local_name(child) == name]


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """Return the first element at a path of local names, None where the path breaks off."""
    for name in path:
        element = next(iter(children(element, name)), None)
    return element


def text(element: etree._Element | None, *path: str) -> str | None:
    """Return the stripped text of the first element at a path, None where it has none."""
    found = child(element, *path)
    stripped = "" if found is None else "".join(map(str, found.itertext())).strip()
    return stripped or None


def _as_ascii_compatible(payload: bytes) -> bytes:
    """Return the document in an encoding whose markup is single bytes; UTF-16 is turned into UTF-8."""
    if len(payload) > MAX_BYTES:
        raise DecodeError(f"the document has {len(payload)} bytes, more than the {MAX_BYTES} allowed", format=FORMAT)
    if payload[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            decoded = payload.decode("utf-16")
        except UnicodeDecodeError as error:
            raise DecodeError("the document starts as UTF-16 but is none", format=FORMAT) from error
        document = _DECLARATION.sub(b"", decoded.encode("utf-8", "replace").strip(), count=1).strip()
    else:
        document = payload.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\0")
    if not document:
        raise NotAMessage("the message is empty", format=FORMAT)
    if not document.startswith(b"<"):
        if b"<?xml" in document or b"VOEvent" in document:
            raise DecodeError("text stands before the XML declaration", format=FORMAT)
        raise NotAMessage("not a message: the bytes are no XML", format=FORMAT)
    return document


def _check_before_parsing(document: bytes) -> None:
    if b"\0" in document:
        raise DecodeError("the document holds NUL bytes", format=FORMAT)
    declaration = _DECLARATION.match(document)
    encoding = _ENCODING.search(declaration[0]) if declaration else None
    if encoding is not None and encoding[1].decode("ascii").lower() not in _ENCODINGS:
        raise DecodeError(f"the encoding {encoding[1].decode('ascii')} is not accepted", format=FORMAT)
    if _HTML.match(document):
        raise NotAMessage("not a message: an HTML page", format=FORMAT)
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise DecodeError("the document declares a DOCTYPE or entities, which are refused", format=FORMAT)
    tags = document.count(b"<") - document.count(b"</")
    if tags > MAX_ELEMENTS + 10:  # some for the declaration and comments
        raise DecodeError(f"the document has {tags} elements, more than the {MAX_ELEMENTS} allowed", format=FORMAT)
    for tag in _START_TAG.finditer(document):
        if len(_ATTRIBUTE.findall(tag[0])) > MAX_ATTRIBUTES:
            raise DecodeError(f"an element has more than {MAX_ATTRIBUTES} attributes", format=FORMAT)


def _check_tree(root: etree._Element) -> None:
    if root.getroottree().docinfo.internalDTD is not None:
        raise DecodeError("the document declares a DOCTYPE or entities, which are refused", format=FORMAT)
    open_at: list[tuple[etree._Element, int]] = [(root, 1)]
    count = 0
    while open_at:
        element, depth = open_at.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise DecodeError(f"the elements are nested deeper than {MAX_DEPTH}", format=FORMAT)
        if count > MAX_ELEMENTS:
            raise DecodeError(f"the document has more than {MAX_ELEMENTS} elements", format=FORMAT)
        if not local_name(element):  # an entity reference that no DTD explains
            raise DecodeError("the document refers to an entity, which is refused", format=FORMAT)
        open_at.extend((inner, depth + 1) for inner in element)


def _first_line(error: Exception) -> str:
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return _FOREIGN_WORDS.sub("", line)[:_SENTENCE_CHARS].rstrip(". ")
