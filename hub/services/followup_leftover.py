"""Fields of a map that others observe anyway: a draft of them gives way to a plan of the rest, before it is sent.

A draft depends on nothing but the version that asked for it. What others planned and did meanwhile, such as Rubin's visits,
counts here, by the same skip rules as for a single place (``observed_within_h``, ``planned_within_h``, ``planned_by``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.event import Event
from hub.model.followup import Intent
from hub.model.instant import Instant
from hub.model.pointing import OWN, Pointing, PointingStatus
from hub.model.sky import Skymap
from hub.science.followup_covered import footprints_of
from hub.science.followup_policy import Allocation, SkipRules, Template
from hub.services.followup_facts import PolicyBook
from hub.services.followup_sight import fields_of, prob_of, window
from hub.storage import localizations, pointings

WORTH_PROB = 0.01
"""Fields are planned anew where others take so much of theirs, and a plan of the rest holds so much more of it, probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left of a map for one request."""

    skymap: Skymap
    """Nothing where others observe."""

    has_fields: bool
    """Whether any field that can be observed holds some of it."""

    is_better: bool
    """Whether fields on the rest are worth more than those that were drafted."""

    reason: str
    """A sentence: who observes how much of it anyway."""


def others(session: Session, event: Event, skip: SkipRules, now: Instant) -> list[Pointing]:
    """Return what others observed and plan of an event, as far as a rule leaves that out; the hub is no other."""
    return [one for one in pointings.of_event(session, event.event_id) if one.reported_by != OWN and _counts(one, skip, now)]


def rest_of(  # noqa: PLR0917 - of which map, for what, of whom and when
    session: Session,
    event: Event,
    intent: Intent,
    taken: Sequence[Pointing],
    allocation: Allocation,
    template: Template,
    now: Instant,
    book: PolicyBook,
) -> Rest | None:
    """Return what others leave of the map of a request; None where they take nothing of its fields that matters."""
    from hub.science.planning.observed import left  # noqa: PLC0415 - compiled parts, wanted only where a rule is for maps

    found = localizations.get(session, event.localization_id) if event.localization_id else None
    if found is None or allocation.fov_deg is None or not intent.fields:
        return None
    rest = left(found.skymap, footprints_of(taken))
    places = [(one.ra_deg, one.dec_deg) for one in intent.fields]
    whole, kept = prob_of(found.skymap, allocation.fov_deg, places), prob_of(rest, allocation.fov_deg, places)
    if whole - kept <= WORTH_PROB:
        return None
    _, end = window(template, event.t0, now)
    fields = fields_of(rest, allocation, template, book.sites_of(allocation), now, min(end, intent.window_end))
    new = prob_of(rest, allocation.fov_deg, [(one.ra_deg, one.dec_deg) for one in fields]) if fields else 0.0
    names = " and ".join(sorted({one.instrument for one in taken}))
    return Rest(
        skymap=rest,
        has_fields=new > WORTH_PROB,
        is_better=new - kept > WORTH_PROB,
        reason=f"{names} will observe, or did, {whole - kept:.2g} of the {whole:.2g} of the map in its fields",
    )


def _counts(one: Pointing, skip: SkipRules, now: Instant) -> bool:
    hours = one.at.minus(now) / 3600.0
    match one.status:
        case PointingStatus.COMPLETED:
            return skip.observed_within_h is not None and -hours < skip.observed_within_h
        case PointingStatus.PLANNED:
            within_h, whose = skip.planned_within_h, skip.planned_by
            return within_h is not None and 0.0 <= hours < within_h and (not whose or one.instrument in whose)
        case _:
            return False
