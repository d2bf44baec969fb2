"""The combined map of the members of a coincidence."""

from sqlalchemy.orm import Session

from hub.errors import NotFound, SkymapRefused
from hub.science.combined import Combined, combined
from hub.services.queries import find_localization
from hub.storage import coincidences


def combined_of(session: Session, coincidence_id: str) -> Combined:
    """Return the map that the localizations of the newest version of a coincidence together give.

    Raises
    ------
    NotFound
        There is no such coincidence, its members have fewer than two maps, or their maps exclude each other.
    """
    one = coincidences.latest(session, coincidence_id)
    if one is None:
        raise NotFound(f"there is no coincidence {coincidence_id}")
    names = sorted(set(one.localization_ids))
    if len(names) < 2:
        raise NotFound(f"the members of coincidence {coincidence_id} have fewer than two maps, so there is none to combine")
    try:
        return combined([find_localization(session, name).skymap for name in names])
    except SkymapRefused as error:
        raise NotFound(f"coincidence {coincidence_id} has no combined map: {error}") from error
