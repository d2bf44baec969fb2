"""Names of topics as an operator writes them: exact, a family (``gcn.notices.*``) or a regular expression (``^lsst-.*``)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hub.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicNames:
    """What is asked for."""

    exact: tuple[str, ...]
    """Topics that must be there."""

    patterns: tuple[tuple[str, str], ...]
    """As written, and as the regular expression that librdkafka is given; there may be none of them yet."""

    def subscription(self) -> list[str]:
        """Return what `subscribe` takes."""
        return [*self.exact, *(pattern for _, pattern in self.patterns)]

    def missing(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the exact topics that are not among the names."""
        there = set(names)
        return tuple(topic for topic in self.exact if topic not in there)

    def matches(self, name: str) -> bool:
        """Return whether a family or an expression covers a name."""
        return any(re.match(pattern, name) for _, pattern in self.patterns)

    def found(self, names: Iterable[str]) -> dict[str, int]:
        """Return how many of the names each family or expression covers."""
        there = list(names)
        return {written: sum(bool(re.match(pattern, name)) for name in there) for written, pattern in self.patterns}


def topic_names(topics: Iterable[str], where: str) -> TopicNames:
    r"""Return what a list of topics asks for.

    >>> topic_names(["igwn.gwalert", "gcn.notices.*"], "sources.gcn").subscription()
    ['igwn.gwalert', '^gcn\\.notices\\..*']

    Raises
    ------
    ConfigError
        A name or an expression is not possible.
    """
    exact, patterns = [], []
    for written in dict.fromkeys(topic.strip() for topic in topics if topic.strip()):
        if written.startswith("^"):
            patterns.append((written, written))
        elif written.endswith("*"):
            patterns.append((written, f"^{_escaped(written[:-1])}.*"))
        elif _NAME.fullmatch(written):
            exact.append(written)
        else:
            raise ConfigError(
                f"{where}: {written!r} is no name of a Kafka topic; a family ends in *, an expression begins with ^"
            )
    for written, pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"{where}: {written!r} is no regular expression: {error}") from error
    return TopicNames(exact=tuple(exact), patterns=tuple(patterns))


_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


def _escaped(prefix: str) -> str:
    # Only the dot means anything in a name of a topic; librdkafka's engine does not know every escape of Python's.
    if not re.fullmatch(r"[A-Za-z0-9._-]*", prefix):
        raise ConfigError(f"{prefix!r} is no beginning of a Kafka topic's name")
    return prefix.replace(".", r"\.")
