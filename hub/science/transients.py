"""Objects of several surveys that are one transient."""

from collections.abc import Mapping, Sequence

from hub.science.small_cone import separation_arcsec

ALIAS_ARCSEC = 1.5
"""Objects of different surveys so near each other are one: a few times the error of a faint detection's place from the ground."""

RECREATED_ARCSEC = 1.0
"""Objects of one survey so near each other are one that got a new id: surveys associate detections within about that."""


def transients_of(places: Mapping[str, tuple[float, float]]) -> list[tuple[str, ...]]:
    """Return the objects that hang together by pairs of different surveys within `ALIAS_ARCSEC`, each set sorted, in order.

    Parameters
    ----------
    places
        Right ascension and declination, degrees, by ``SURVEY:ID``; few of them, all pairs are compared.
    """
    names = sorted(places)
    root = {name: name for name in names}

    def top(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            if _survey(one) != _survey(other) and separation_arcsec(*places[one], *places[other]) <= ALIAS_ARCSEC:
                low, high = sorted((top(one), top(other)))
                root[high] = low
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(top(name), []).append(name)
    return [tuple(of_one) for _, of_one in sorted(members.items())]


def first_of(members: Sequence[tuple[int, str]]) -> str:
    """Return which object stands for a transient: the one that was detected first, of equal ones by name."""
    return min(members)[1]


def _survey(name: str) -> str:
    return name.partition(":")[0]
