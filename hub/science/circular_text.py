"""What circulars state in prose, as proposals for a person: positions, redshifts, names, tables of candidates.

Precision before recall: a number counts only where its label stands beside it. Every pattern has bounded repeats only, so that
the time grows with the length of the text and with nothing else.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.annotation import AnnotationKind

MAX_BODY = 1_000_000
"""Characters of a body that are read; real ones have some thousand."""

MAX_PROPOSALS = 200
"""Most proposals from one circular."""

MAX_QUOTE = 300
"""Characters of the line that is quoted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Something that a text seems to say, and where."""

    kind: AnnotationKind
    value: Mapping[str, Any]
    start: int
    """First character of it in the body."""

    end: int
    """One past the last."""

    quote: str
    """The line it stands in, cut at `MAX_QUOTE`."""


def propose(body: str) -> tuple[Proposal, ...]:
    """Return what a circular seems to state, in the order of the text; each value once."""
    text = body[:MAX_BODY]
    found: dict[tuple[str, str], Proposal] = {}
    readers: tuple[Callable[[str], Iterator[Proposal]], ...] = (_positions, _redshifts, _names, _tables)
    for read in readers:
        for number, proposal in enumerate(read(text)):
            if number == MAX_PROPOSALS:
                break
            found.setdefault((proposal.kind, repr(sorted(proposal.value.items()))), proposal)
    return tuple(sorted(found.values(), key=lambda one: (one.start, one.kind))[:MAX_PROPOSALS])


# ----------------------------------------------------------------------------------------------------------------- positions

_HMS = (
    r"(\d{1,2})(?: {0,2}h {0,2}| ?: ?| )(\d{1,2})(?: {0,2}m {0,2}| {0,2}['\u2032] {0,2}| ?: ?| )(\d{1,2}(?:\.\d{1,9})?) {0,2}s?"
)
_DMS = (
    r"([+\-\u2212\u2013]?) ?(\d{1,2})(?: {0,2}(?:deg|d|\u00b0|\u00ba) {0,2}| ?: ?| )(\d{1,2})"
    r"(?: {0,2}(?:m|'|\u2032|\u2019) {0,2}| ?: ?| )(\d{1,2}(?:\.\d{1,9})?) {0,2}(?:''|\"|\u2033|\u201d|s)?"
)
_DEG_RA = r"(\d{1,3}\.\d{1,9})(?!\d|\.\d|[:hm])"
_DEG_DEC = r"([+\-\u2212\u2013]?) ?(\d{1,2}\.\d{1,9})(?!\d|\.\d|[:m'])"
_EQUALS = r"(?: ?\( ?(?:J|ICRS|deg|eq|hms|dms)[\w., ]{0,16}\))? ?(?:J2000\.?0?)? ?[=:~]? {0,8}"
_RA = r"\b(?:R\.? ?A\.?|Right Ascension)" + _EQUALS
_DEC = r"(?:Decl?\.?|DEC|Declination)" + _EQUALS
_BETWEEN = r" ?(?:\((?:J2000|deg)[\w., ]{0,10}\)|deg(?:rees?)?\.?|\u00b0|d)?[ ,;|/&\n]{0,20}(?:and )?"
_PLACES = (
    re.compile(_RA + _HMS + _BETWEEN + _DEC + _DMS, re.IGNORECASE),
    re.compile(_RA + _DEG_RA + _BETWEEN + _DEC + _DEG_DEC, re.IGNORECASE),
    re.compile(r"\bR\.?A\.?[ ,/]{1,3}Dec\.?" + _EQUALS + _HMS + r"[ ,;]{1,5}" + _DMS, re.IGNORECASE),
    re.compile(r"\bR\.?A\.?[ ,/]{1,3}Dec\.?" + _EQUALS + _DEG_RA + r" ?(?:deg)?[ ,;]{1,5}" + _DEG_DEC, re.IGNORECASE),
)
_IS_SEXAGESIMAL = (True, False, True, False)
_ERROR = re.compile(
    r"(?:uncertaint(?:y|ies)|error(?: radius| circle)?|radius)[^0-9;.]{0,40}(\d{1,3}(?:\.\d{1,5})?) ?"
    r"(arc ?sec(?:onds?)?|\"|arc ?min(?:utes?)?|'|deg(?:rees?)?\b|\u00b0)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not (?:at|in|the|consistent|associated|related|coincident)|unrelated|ruled out|excluded?|reject(?:s|ed)?|incorrect"
    r"|erroneous|retract(?:s|ed)?|do(?:es)? not (?:confirm|support|agree)|cannot (?:confirm|be)|(?:is|was|are|were) not"
    r"|(?:no|without) (?:evidence|confirmation)|rather than|instead of)\b",
    re.IGNORECASE,
)
"""Words by which a sentence takes back what it names."""

_OTHER_PLACE = re.compile(
    r"\b(?:sun|moon|pointing|pointed|boresight|field cent(?:er|re)|map cent(?:er|re)|slew(?:ed|ing)?|zenith|spacecraft|satellite"
    r"|roll|ghost|galactic cent(?:er|re)|known variable|reference star|comparison star|telescope)\b",
    re.IGNORECASE,
)
"""What a position may be of that is not the source."""

_SENTENCE_END = re.compile(r"[.!?]\s{1,4}(?=[A-Z(\d])|;\s|\n[ \t]{0,8}\n")
_SENTENCE_WITHIN = 160
"""Characters on either side in which the rest of a sentence is looked for."""

_FURTHER = re.compile(r"\n[ \t]{0,8}\n[ \t]{0,8}(?=with an? (?:uncertainty|error)\b)", re.IGNORECASE)
"""The blank line of the Swift XRT circulars, between the position and ``with an uncertainty of``."""

_NEXT_PLACE = re.compile(r"\bR\.?A\.?(?![A-Za-z])")
_ERROR_WITHIN = 200
"""Characters behind a position in which its error is looked for, and only in the same paragraph."""


def _positions(text: str) -> Iterator[Proposal]:
    for pattern, is_sexagesimal in zip(_PLACES, _IS_SEXAGESIMAL, strict=True):
        for match in pattern.finditer(text):
            place = _sexagesimal(match.groups()) if is_sexagesimal else _decimal(match.groups())
            before, behind = _sentence(text, match.start(), match.end())
            if place is None or _OTHER_PLACE.search(before) or _DENIED.search(before) or _DENIED.search(behind):
                continue
            value: dict[str, Any] = {"ra_deg": place[0], "dec_deg": place[1]}
            radius = _radius_behind(text, match.end())
            if radius is not None:
                value["radius_arcsec"] = radius
            yield _proposal(AnnotationKind.POSITION, value, text, match.start(), match.end())


def _sentence(text: str, start: int, end: int) -> tuple[str, str]:
    """Return what stands before and behind a place in the same sentence, as far as it is looked at."""
    before = text[max(0, start - _SENTENCE_WITHIN) : start]
    ends = [match.end() for match in _SENTENCE_END.finditer(before)]
    behind = text[end : end + _SENTENCE_WITHIN]
    last = _SENTENCE_END.search(behind)
    return before[ends[-1] if ends else 0 :], behind[: last.start()] if last else behind


def _sexagesimal(parts: tuple[str | Any, ...]) -> tuple[float, float] | None:
    hours, minutes, seconds = (float(part) for part in parts[:3])
    sign = -1.0 if parts[3] in ("-", "\u2212", "\u2013") else 1.0
    degrees, arcmin, arcsec = (float(part) for part in parts[4:7])
    if hours >= 24 or max(minutes, seconds, arcmin, arcsec) >= 60:
        return None
    dec = degrees + arcmin / 60 + arcsec / 3600
    return None if dec > 90 else (round(15 * (hours + minutes / 60 + seconds / 3600), 7), round(sign * dec, 7))


def _decimal(parts: tuple[str | Any, ...]) -> tuple[float, float] | None:
    ra, dec = float(parts[0]), float(parts[2])
    if ra >= 360 or dec > 90:
        return None
    return ra, -dec if parts[1] in ("-", "\u2212", "\u2013") else dec


def _radius_behind(text: str, end: int) -> float | None:
    """Return the radius in arcseconds that the rest of the paragraph states, up to the next position in it.

    A blank line does not end the paragraph where the next words are ``with an uncertainty of``, as in the circulars of Swift XRT.
    """
    rest = _FURTHER.sub("\n", text[end : end + _ERROR_WITHIN], count=1).split("\n\n", 1)[0]
    following = _NEXT_PLACE.search(rest)
    match = _ERROR.search(rest[: following.start()] if following else rest)
    if match is None:
        return None
    unit = match[2].lower().replace(" ", "")
    factor = 1.0 if unit.startswith("arcs") or unit == '"' else 60.0 if unit.startswith("arcm") or unit == "'" else 3600.0
    return round(float(match[1]) * factor, 6) or None


# ----------------------------------------------------------------------------------------------------------------- redshifts

_Z = re.compile(
    r"(?<![\w'\u2019])(?:z|redshift(?: (?:of|is|at|z))?(?: z)?) {0,2}(=|~|<=|>=|<|>|\u2264|\u2265|\u2248|\u223c|of|is|:)? {0,2}"
    r"(approximately |about |~ ?)?(\d{1,2}\.\d{1,6})(?: ?(?:\+/-|\u00b1|\+-) ?(0\.\d{1,6}))?(?!\d|\.\d|:"
    r"| ?(?:-|\u2013|to) ?\d)",
    re.IGNORECASE,
)
_SPECTRUM = re.compile(r"redshift|spectroscop|absorption|emission line", re.IGNORECASE)
_SUPPOSED = re.compile(r"\b(?:assum|if\b|suppos|hypothe|unlikely|would )", re.IGNORECASE)
_MAGNITUDE = re.compile(r"^[^\n]{0,25}?(?:\bmag|\(?AB\b|\(?Vega\b)|^ ?,? {0,2}[griyJHKzu]'? ?[=<>~]", re.IGNORECASE)
_SAID = re.compile(r"redshift (?:of|is|at|z)\b", re.IGNORECASE)
_OTHER_OBJECT = re.compile(
    r"\b(?:nearby|neighbou?r(?:ing)?|foreground|background|unrelated|intervening|another|other|bright|cluster|catalog(?:u)?ed?)"
    r"[ \n](?:\w{1,20}[ \n]){0,2}?(?:galax(?:y|ies)|object|source|absorber|system|cluster)\b|\b(?:NGC|IC|UGC|2MASX|Abell) ?J?\d",
    re.IGNORECASE,
)
"""What a redshift may be of that is neither the source nor said to be its host."""

_HOST = re.compile(r"\bhosts?\b", re.IGNORECASE)
_PHOTOMETRIC = re.compile(r"photo-?z|phot-?z|photometric redshift", re.IGNORECASE)
_LARGEST_Z = 15.0


def _redshifts(text: str) -> Iterator[Proposal]:
    for match in _Z.finditer(text):
        sign, hedge, written, error = match.groups()
        z = float(written)
        before = text[max(0, match.start() - 60) : match.start()].rsplit(". ", 1)[-1]
        around = text[max(0, match.start() - 200) : match.end() + 200]
        if not 0 < z < _LARGEST_Z or (sign is None and not _SAID.match(match[0])):
            continue
        if not _SPECTRUM.search(around) or _SUPPOSED.search(before) or _MAGNITUDE.search(text[match.end() : match.end() + 40]):
            continue
        so_far, behind = _sentence(text, match.start(), match.end())
        if _DENIED.search(so_far) or _DENIED.search(behind) or (_OTHER_OBJECT.search(so_far) and not _HOST.search(so_far)):
            continue
        value: dict[str, Any] = {"z": z}
        if _PHOTOMETRIC.search(so_far + match[0]) or _PHOTOMETRIC.search(behind[:60]):
            value["is_photometric"] = True
        if error:
            value["error"] = float(error)
        if sign in ("<", "<=", "\u2264"):
            value["limit"] = "upper"
        elif sign in (">", ">=", "\u2265"):
            value["limit"] = "lower"
        elif sign in ("~", "\u2248", "\u223c") or hedge:
            value["is_approximate"] = True
        yield _proposal(AnnotationKind.REDSHIFT, value, text, match.start(), match.end())


# --------------------------------------------------------------------------------------------------------------------- names

_NAMES = re.compile(
    r"(?<![\w/.])(?:(?:AT|SN) ?(?:19|20)\d\d[a-zA-Z]{1,4}|ZTF\d\d[a-z]{7}|ATLAS\d\d[a-z]{3,4}|Gaia\d\d[a-z]{3}|PS\d\d[a-z]{1,4}"
    r"|DLT\d\d[a-z]{1,3}|EP\d{6}[a-z])(?![\w])"
)


def _names(text: str) -> Iterator[Proposal]:
    seen: set[str] = set()
    for match in _NAMES.finditer(text):
        name = match[0].replace(" ", "")
        if name not in seen:
            seen.add(name)
            yield _proposal(AnnotationKind.NAME, {"name": name}, text, match.start(), match.end())


# -------------------------------------------------------------------------------------------------------------------- tables

_CELL = r"[ \t]{0,12}[|,;&\t ][ \t]{0,12}"
_ROW = re.compile(
    r"^[ \t]{0,12}\|?[ \t]{0,6}(?P<name>(?:AT|SN) ?\d{4}[A-Za-z]{1,4}|[A-Za-z][\w.+-]{2,29})" + _CELL + r"(?:(?P<sexa>"
    r"\d{1,2}[: h]\d{1,2}[: m]\d{1,2}(?:\.\d{1,6})?s?)"
    + _CELL
    + r"(?P<sexd>[+-]?\d{1,2}[: d]\d{1,2}[: m']\d{1,2}(?:\.\d{1,6})?[s\"]?)"
    r"|(?P<ra>\d{1,3}\.\d{2,9})" + _CELL + r"(?P<dec>[+-]?\d{1,2}\.\d{2,9}))(?=$|[|,;&\t ])(?P<rest>[^\n]{0,400})"
)
_HEADER = re.compile(r"(?=[^\n]{0,300}\bR\.?A\.?\b)(?=[^\n]{0,300}\bDec)", re.IGNORECASE)
_MAG_WORD = re.compile(r"\bmag", re.IGNORECASE)
_MAG = re.compile(r"(?<![\w.:+-])(\d\d\.\d{1,3})(?![\d:])")
_FILTER = re.compile(r"(?:^|[|,;&\t (])([ugrizyJHKBVRIco]|[ugrizy]')(?=$|[|,;&\t )])")
_LINES_TO_HEADER = 4
_MAX_LINE = 1_000


def _tables(text: str) -> Iterator[Proposal]:
    """Yield the rows of tables: a header above that names RA and Dec, or at least two rows one under the other."""
    block: list[tuple[re.Match[str], int]] = []
    header, header_age = "", _LINES_TO_HEADER + 1
    at = 0
    for line in text.split("\n"):
        match = _ROW.match(line) if len(line) <= _MAX_LINE else None
        if match is not None:
            block.append((match, at))
        else:
            if _is_rule(line):
                header_age += 1
            elif len(line) <= _MAX_LINE and _HEADER.match(line):
                yield from _rows(text, block, header)
                block, header, header_age = [], line, 0
            else:
                yield from _rows(text, block, header)
                block = []
                header_age += 1
            if header_age > _LINES_TO_HEADER and not block:
                header = ""
        at += len(line) + 1
    yield from _rows(text, block, header)


def _rows(text: str, block: list[tuple[re.Match[str], int]], header: str) -> Iterator[Proposal]:
    if len(block) < 2 and not header:
        return
    for match, at in block:
        place = _place_of(match)
        if place is None:
            continue
        value: dict[str, Any] = {"name": match["name"].replace(" ", ""), "ra_deg": place[0], "dec_deg": place[1]}
        magnitude = _MAG.search(match["rest"])
        if magnitude is not None and _MAG_WORD.search(header) and 8 <= float(magnitude[1]) <= 28:
            value["mag"] = float(magnitude[1])
            band = _FILTER.search(match["rest"])
            if band is not None:
                value["filter"] = band[1]
        yield _proposal(AnnotationKind.CANDIDATE, value, text, at + match.start("name"), at + match.end())


def _place_of(row: re.Match[str]) -> tuple[float, float] | None:
    if row["ra"] is not None:
        sign = "-" if row["dec"].startswith("-") else ""
        return _decimal((row["ra"], sign, row["dec"].lstrip("+-")))
    ra = re.split("[: hms]", row["sexa"].rstrip("s"))
    dec = re.split("[: dm's\"]", row["sexd"].lstrip("+-").rstrip('s"'))
    return _sexagesimal((*ra, "-" if row["sexd"].startswith("-") else "", *dec)) if len(ra) == len(dec) == 3 else None


def _is_rule(line: str) -> bool:
    """Return whether a line only separates: blank, or made of dashes and bars."""
    return not line[:_MAX_LINE].strip(" \t|+-=_:")


def _proposal(kind: AnnotationKind, value: Mapping[str, Any], text: str, start: int, end: int) -> Proposal:
    first = text.rfind("\n", max(0, start - MAX_QUOTE), start) + 1 or max(0, start - MAX_QUOTE)
    if start < MAX_QUOTE and "\n" not in text[:start]:
        first = 0
    last = text.find("\n", end, first + MAX_QUOTE)
    quote = text[first : last if last >= 0 else first + MAX_QUOTE]
    return Proposal(kind=kind, value=value, start=start, end=end, quote=quote.strip())
