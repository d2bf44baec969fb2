"""Which events a subscriber wants, in a language so small that no filter can cost anything.

A filter is one or more comparisons joined by ``and``; an event passes a set of filters if it passes one of them::

    role == observation and ivorn startswith ivo://org.example/hub
    stream contains "icecube" and role != test
    subject == retraction

XPath is not offered: an expression of 52 characters can keep a processor busy for a minute.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.errors import InvalidRequest
from hub.text import printable

PARAM = "mmhub-filter"
"""Name of the Param in an ``authenticate`` answer that carries a filter of this language."""

XPATH_PARAM = "xpath-filter"
"""Name of the Param by which Comet's subscribers carry XPath."""

MAX_FILTERS = 16
"""Most filters of one peer."""

MAX_CHARS = 500
"""Longest filter."""

_MAX_CLAUSES = 8
_FIELDS = ("role", "ivorn", "stream", "subject")
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "==": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "startswith": lambda value, wanted: value.startswith(wanted),
    "contains": lambda value, wanted: wanted in value,
}
_WORD = re.compile(r"\s*(?:\"([^\"]*)\"|([^\s\"]+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What of an event can be asked for."""

    role: str
    ivorn: str
    subject: str
    """``coincidence``, ``candidate``, ``retraction``, or ``notice`` for a relayed one."""

    @property
    def stream(self) -> str:
        """The ivorn between ``ivo://`` and its local part: authority and stream."""
        return re.split(r"[#?]", self.ivorn[len("ivo://") :], maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison; case does not count, as it does not in identifiers."""

    field: str
    operator: str
    wanted: str

    def passes(self, traits: Traits) -> bool:
        """Return whether an event fits."""
        value: str = getattr(traits, self.field)
        return _OPERATORS[self.operator](value.casefold(), self.wanted.casefold())


@dataclass(frozen=True, slots=True)
class Filter:
    """Comparisons that must all hold."""

    clauses: tuple[Clause, ...]

    def passes(self, traits: Traits) -> bool:
        """Return whether an event fits."""
        return all(clause.passes(traits) for clause in self.clauses)


def parse(text: str) -> Filter:
    """Return the filter that a text means.

    Raises
    ------
    InvalidRequest
        It means none; the sentence says what is wrong.

    >>> parse("role == test").passes(Traits(role="test", ivorn="ivo://a/b#c", subject="notice"))
    True
    """
    if len(text) > MAX_CHARS:
        raise InvalidRequest(f"a filter has {len(text)} characters, more than the {MAX_CHARS} allowed")
    words = _words(text)
    shown = printable(text)
    if len(words) % 4 != 3:
        raise InvalidRequest(f"the filter {shown!r} is not made of FIELD OPERATOR VALUE, joined by 'and'")
    if len(words) // 4 >= _MAX_CLAUSES:
        raise InvalidRequest(f"the filter {shown!r} has more than {_MAX_CLAUSES} comparisons")
    clauses = []
    for start in range(0, len(words), 4):
        field, operator, wanted, *rest = words[start : start + 4]
        if field not in _FIELDS:
            raise InvalidRequest(f"the filter {shown!r} asks for {field!r}; there are {', '.join(_FIELDS)}")
        if operator not in _OPERATORS:
            raise InvalidRequest(f"the filter {shown!r} compares with {operator!r}; there are {', '.join(_OPERATORS)}")
        if rest and rest != ["and"]:
            raise InvalidRequest(f"the filter {shown!r} joins comparisons with {rest[0]!r}; there is only 'and'")
        clauses.append(Clause(field, operator, wanted))
    return Filter(tuple(clauses))


def checked(text: str) -> str:
    """Return a filter as it is written, for an options model.

    Raises
    ------
    ValueError
        It means none; the sentence says what is wrong.
    """
    try:
        parse(text)
    except InvalidRequest as error:
        raise ValueError(str(error)) from error
    return text


def passes(filters: Sequence[Filter], traits: Traits) -> bool:
    """Return whether an event passes one of some filters; where there are none, everything passes."""
    return not filters or any(wanted.passes(traits) for wanted in filters)


def _words(text: str) -> list[str]:
    """Split at blanks, keeping what stands between double quotes together."""
    words = []
    at = 0
    stripped = text.strip()
    while at < len(stripped):
        found = _WORD.match(stripped, at)
        if found is None:
            raise InvalidRequest(f"the filter {printable(text)!r} has a double quote that does not end")
        words.append(found[1] if found[1] is not None else found[2])
        at = found.end()
    return words
