"""Hostile VOEvents."""

from collections.abc import Callable

from tests.support.bombs import Bomb, family
from tests.support.voevents import voevent


def good(number: str) -> bytes:
    """Return a VOEvent of its own identity."""
    return voevent(ivorn=f"ivo://example.org/bad#{number}")


def with_doctype(declaration: str, number: str, text: str = "") -> bytes:
    """Return a VOEvent behind a document type declaration, with a text inside."""
    head, body = good(number).split(b"\n", 1)
    return head + b"\n" + declaration.encode() + body.replace(b"</Who>", f"<Description>{text}</Description></Who>".encode())


def laughs(depth: int) -> bytes:
    """Return the billion laughs, ten of the last at each level."""
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, depth))
    return with_doctype(f'<!DOCTYPE v [<!ENTITY l0 "ha">{entities}]>', f"laughs-{depth}", f"&l{depth - 1};")


def quadratic() -> bytes:
    """Return one long entity that is used often."""
    return with_doctype(f'<!DOCTYPE v [<!ENTITY a "{"x" * 50_000}">]>', "quadratic", "&a;" * 5_000)


def described(text: bytes, number: str) -> bytes:
    """Return a VOEvent with something inside its Who."""
    return good(number).replace(b"</Who>", b"<Description>" + text + b"</Description></Who>")


def params(count: int) -> bytes:
    """Return a VOEvent with many Params."""
    many = b"".join(b'<Param name="p%d" value="%d"/>' % (i, i) for i in range(count))
    return good(f"params-{count}").replace(b"<What>", b"<What>" + many)


def nested(depth: int) -> bytes:
    """Return a VOEvent with Groups in Groups."""
    return good(f"nested-{depth}").replace(b"<What>", b"<What>" + b"<Group>" * depth + b"</Group>" * depth)


def attributes(count: int) -> bytes:
    """Return a VOEvent with one element of many attributes."""
    many = b" ".join(b'a%d="%d"' % (i, i) for i in range(count))
    return good("attributes").replace(b"<What>", b"<What><Param " + many + b"/>")


def external(kind: str) -> bytes:
    """Return a VOEvent that would read a file or ask a server."""
    return {
        "file": with_doctype('<!DOCTYPE v [<!ENTITY a SYSTEM "file:///etc/hostname">]>', "file", "&a;"),
        "http": with_doctype('<!DOCTYPE v [<!ENTITY a SYSTEM "http://127.0.0.1:9/a">]>', "http", "&a;"),
        "dtd": with_doctype('<!DOCTYPE v SYSTEM "http://127.0.0.1:9/a.dtd">', "dtd"),
        "parameter": with_doctype('<!DOCTYPE v [<!ENTITY % a SYSTEM "http://127.0.0.1:9/a"> %a;]>', "parameter"),
    }[kind]


def in_encoding(encoding: str) -> bytes:
    """Return a VOEvent in another encoding, declared as such."""
    return good(encoding).decode().replace("UTF-8", encoding.upper()).encode(encoding)


def _refused() -> dict[str, Callable[[], bytes]]:
    return {
        "internal entity": lambda: with_doctype('<!DOCTYPE v [<!ENTITY a "b">]>', "internal", "&a;"),
        **{f"external {kind}": lambda kind=kind: external(kind) for kind in ("file", "http", "dtd", "parameter")},
        **{f"laughs of depth {depth}": lambda depth=depth: laughs(depth) for depth in range(3, 10)},
        "quadratic": quadratic,
        **{f"text of {size} MB": lambda size=size: described(b"x" * (size << 20), f"text-{size}") for size in (5, 11)},
        **{f"{count} Params": lambda count=count: params(count) for count in (100_000, 1_000_000)},
        "200000 attributes": lambda: attributes(200_000),
        **{f"nesting {depth}": lambda depth=depth: nested(depth) for depth in (200, 300, 100_000)},
        "no ivorn": lambda: good("no-ivorn").replace(b"ivorn=", b"id="),
        "UTF-7": lambda: in_encoding("utf-7"),
        "unknown encoding": lambda: good("klingon").replace(b"UTF-8", b"klingon"),
        "UTF-16 with a bomb": lambda: laughs(9).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        "NUL": lambda: described(b"\0", "nul"),
        "bad UTF-8": lambda: described(b"\xff\xfe", "bad-utf-8"),
        "control character": lambda: described(b"\x07", "control"),
        "undeclared entity": lambda: described(b"&nobody;", "undeclared"),
        "cut off": lambda: good("cut")[:-200],
        "two roots": lambda: good("two") * 2,
        "no closing tags": lambda: b"<a>" * 200_000,
        "comment without end": lambda: described(b"<!--" + b"-" * 500_000, "comment"),
        "endless tag name": lambda: b"<" + b"a" * 900_000 + b"/>",
        "version 3.0": lambda: good("v3").replace(b'version="2.0"', b'version="3.0"'),
    }


def _read() -> dict[str, Callable[[], bytes]]:
    return {
        "version 2.1": lambda: voevent(ivorn="ivo://example.org/bad#v21", version="2.1"),
        "UTF-16": lambda: in_encoding("utf-16"),
        "stylesheet instruction": lambda: good("pi").replace(
            b"\n", b"\n<?xml-stylesheet href='http://127.0.0.1:9/x.xsl' type='text/xsl'?>\n", 1
        ),
        "XInclude": lambda: described(
            b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>', "xinclude"
        ),
    }


def _odd() -> dict[str, Callable[[], bytes]]:
    numbers = ("NaN", "inf", "-inf", "1e999", "1" * 400, "0x10", "", "ten", "370", "-0.0", "1,5", "\u0661\u0662")
    times = (
        "",
        "yesterday",
        "2026-02-30T00:00:00",
        "0000-00-00T00:00:00",
        "9999-12-31T23:59:59",
        "2016-12-31T23:59:60.5",
        "1" * 500,
    )
    return {
        "no version": lambda: good("no-version").replace(b' version="2.0"', b""),
        **{f"RA {text[:9]!r}": lambda text=text: voevent(ivorn="ivo://example.org/bad#ra", position=(text, 20.0, 1.0)) for text in numbers},
        **{f"Dec {text[:9]!r}": lambda text=text: voevent(ivorn="ivo://example.org/bad#de", position=(1.0, text, 1.0)) for text in numbers},
        **{f"error {text[:9]!r}": lambda text=text: voevent(ivorn="ivo://example.org/bad#er", position=(1.0, 2.0, text)) for text in numbers},
        **{f"time {text[:9]!r}": lambda text=text: voevent(ivorn="ivo://example.org/bad#t", time=text) for text in times},
        **{f"date {text[:9]!r}": lambda text=text: voevent(ivorn="ivo://example.org/bad#d", date=text) for text in times},
        "ivorn of control characters": lambda: voevent(ivorn="ivo://example.org/bad#\u202e\u2028x"),
        "ivorn of a megabyte": lambda: voevent(ivorn="ivo://example.org/bad#" + "x" * 900_000),
        "role of its own": lambda: voevent(ivorn="ivo://example.org/bad#role", role="emergency"),
        "a thousand citations": lambda: voevent(
            ivorn="ivo://example.org/bad#cites", cites=[(f"ivo://example.org/c#{i}", "followup") for i in range(1_000)]
        ),
        "cites itself": lambda: voevent(ivorn="ivo://example.org/bad#self", cites=[("ivo://example.org/bad#self", "retraction")]),
        "packet types of a stranger": lambda: voevent(ivorn="ivo://example.org/bad#packet", params={"Packet_Type": "-1", "TrigID": "9" * 400}),
    }  # fmt: skip


def bombs() -> list[Bomb]:
    """Return the family."""
    return [*family("xml", "dead", _refused()), *family("xml", "stored", _read()), *family("xml", "either", _odd())]
