"""The hub's own requests as pointings: what a network has is planned, what it completed is observed, what it gave up cancelled.

They are computed from the steps of a request each time, never counted up: a correction of a network corrects them. Requests to a
network with no telescopes behind it are none.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.followup import Intent, RequestState, Submission
from hub.model.instant import Instant
from hub.model.pointing import OWN, PointingStatus
from hub.ports import OwnPointing
from hub.science.followup_policy import Policy
from hub.services import pointings as reading
from hub.services.submission import ALIVE_STATES
from hub.storage import pointings, privacy
from hub.storage.privacy import PrivateKind, Thing

POINT_DEG = 0.01
"""Radius of what is taken as observed where the policy states no field (``fov_deg``), degrees: the target and no more."""

_PLANNED = ALIVE_STATES | {RequestState.CANCEL_REQUESTED, RequestState.CANCEL_REFUSED}
_CANCELLED = frozenset({RequestState.CANCELLED, RequestState.EXPIRED, RequestState.FAILED, RequestState.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPointings:
    """Makes pointings of requests."""

    policy: Policy
    simulated: Collection[str]
    """Networks with no telescope behind them: nobody observes there."""

    def of(self, submission: Submission) -> list[OwnPointing]:
        """Return the pointings of a request, one for each field and band; none where no network ever had it."""
        intent = submission.intent
        status = status_of(submission)
        if status is None or intent.network in self.simulated:
            return []
        at = _observed_at(submission) if status is PointingStatus.COMPLETED else intent.window_start
        fields = [(one.ra_deg, one.dec_deg) for one in intent.fields] or [(intent.ra_deg, intent.dec_deg)]
        bands = list(dict.fromkeys(str(one.get("filter") or "") for one in intent.exposures)) or [""]
        return [
            self._one(intent, status, at, place, band, f"{intent.intent_id}/{number}/{band}")
            for number, place in enumerate(fields, start=1)
            for band in bands
        ]

    def keep(self, session: Session, submission: Submission, now: Instant) -> int:
        """Store the pointings of a request over what was stored of them; return how many.

        Those of a request that is private, by its rule or else its network, are so, too.
        """
        found = [one.pointing for one in self.of(submission)]
        intent = submission.intent
        group = intent.group or privacy.every(session).get((PrivateKind.NETWORK, intent.network), "")
        for one in found:
            privacy.keep_within(session, Thing.POINTING, one.pointing_id, group)
        return pointings.save(session, found, now)

    def _one(  # noqa: PLR0917 - of what, when and where
        self, intent: Intent, status: PointingStatus, at: Instant, place: tuple[float, float], band: str, name: str
    ) -> OwnPointing:
        side = next(
            (
                one.fov_deg
                for one in self.policy.allocations.values()
                if (one.network, one.instrument) == (intent.network, intent.instrument)
            ),
            None,
        )
        row = {
            "instrument": f"{intent.network} {intent.instrument}",
            "status": status.value,
            "time": at.to_utc_iso(),
            "band": band,
            "ra": place[0],
            "dec": place[1],
            "name": name,
            **({"radius_deg": POINT_DEG} if side is None else {"width_deg": side}),
        }
        return OwnPointing(
            pointing=reading.read(row, event_id=intent.event_id, reported_by=OWN),
            camera=intent.instrument,
            ra_deg=place[0],
            dec_deg=place[1],
            planned_at=intent.window_start,
        )


def status_of(submission: Submission) -> PointingStatus | None:
    """Return what became of a request as observers say it; None where no network ever had it, or nobody knows whether one has."""
    if submission.remote_id is None:
        return None
    if submission.state is RequestState.COMPLETED:
        return PointingStatus.COMPLETED
    if submission.state in _PLANNED:
        return PointingStatus.PLANNED
    return PointingStatus.CANCELLED if submission.state in _CANCELLED else None


def _observed_at(submission: Submission) -> Instant:
    """Return when a request was completed, as far as the hub knows: when it was told so, within the window."""
    told = next(step.at for step in reversed(submission.transitions) if step.state is RequestState.COMPLETED)
    return min(max(told, submission.intent.window_start), submission.intent.window_end)
