"""Where was searched, when, how deep, and by which programme: answers from the visit ledger, and only where it can know.

Every processed detector of a visit sends alerts, so a survey that is heard in full tells what it searched. Of one that is heard
through filters, or not at all, the answer is ``unknown`` with the reason, never that nothing was searched.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub import resources
from hub.archive import visits_file
from hub.archive.layout import DAY_0, night_name, night_of, nights_of
from hub.archive.places import around_points
from hub.archive.visits_slices import bounds
from hub.errors import InvalidRequest
from hub.model.coverage import Coverage, SelectionKind
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.visit import DetectorVisits, FootprintKind, ab_mag, joined
from hub.science.footprint import Halves, areas_deg2, holding, unit_vectors
from hub.science.footprint_camera import Camera, load_cameras
from hub.science.footprint_missing import Completeness, completeness, silent_detector
from hub.science.footprint_share import share_of
from hub.science.map_points import MapPoints
from hub.services import coverage
from hub.services.bodies import Body, jsonable, text, utc
from hub.services.hearing import Hearing, Window, hearing
from hub.services.queries import Page, find_event, find_localization

MAX_WINDOW_D = 400.0
"""Longest window of a question about a position, days."""

MAX_EVENT_WINDOW_D = 60.0
"""Longest window of a question about a map, days: each night is read whole."""

USUAL_WINDOW_D = 30.0
"""How far a question about a position looks back unless it says, days."""

USUAL_EVENT_WINDOW_D = 14.0
"""How far after an event a question about its map looks unless it says, days."""

MAX_REMARKS = 20
"""Most remarks of an answer."""

_DAY_S = 86_400.0
_AROUND_DEG = 0.75

UNKNOWN_CAMERA_DEG = 12.0
"""A camera that is not known may look so far from any of its alerts, degrees: across that of ZTF it is 10."""

_SLACK_DEG = 0.5
"""Alerts lie so far from the middle of their detector at most, and some more, degrees."""


def cameras() -> dict[str, Camera]:
    """Return the cameras that the hub knows, by survey."""
    return _cameras()


@cache
def _cameras() -> dict[str, Camera]:
    return dict(load_cameras(resources.read_text("conf/cameras.toml")))


def surveys_in_full(hears: Coverage) -> dict[str, frozenset[str]]:
    """Return the topics by which every alert of a survey is heard, by survey: what the ledger may be made from."""
    surveys = sorted({one.survey for one in hears.streams})
    return {survey: frozenset(topics) for survey in surveys if (topics := hears.full_topics(survey))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What may be said of where a survey searched in a window."""

    survey: str
    reason: str | None
    """Why nothing is known, one sentence."""

    since: Instant | None
    """When the first alert of its full stream came."""

    heard: Hearing | None = None
    """What of the window was heard; None where no full stream ever was."""

    @property
    def is_known(self) -> bool:
        """Whether any of the window is known."""
        return self.reason is None

    @property
    def coverage(self) -> str:
        """``known``, ``partial`` where only a part of the window was heard, or ``unknown``."""
        if not self.is_known or self.heard is None:
            return "unknown"
        return "partial" if self.heard.unheard else "known"

    def body(self) -> Body:
        """Return it as JSON values."""
        unheard = self.heard.unheard if self.heard is not None else ()
        return {
            "survey": text(self.survey),
            "coverage": self.coverage,
            "reason": self.reason,
            "ledger_until": utc(self.heard.until if self.heard is not None else None),
            "heard_since": utc(self.since),
            "unheard": [{"from": utc(one.begin), "to": utc(one.end), "reason": one.reason} for one in unheard],
        }


def standings(session: Session, archive: Path, hears: Coverage, window: Window, survey: str | None = None) -> list[Standing]:
    """Return what may be said of each survey that is heard, or of the one that is asked for, in a window."""
    names = [survey] if survey is not None else sorted({one.survey for one in hears.streams})
    return [_standing(session, archive, hears, name, window) for name in names]


def _standing(session: Session, archive: Path, hears: Coverage, survey: str, window: Window) -> Standing:
    streams = [one for one in hears.streams if one.survey == survey]
    full = [one for one in streams if one.selection.kind is SelectionKind.FULL]
    begun = [one.since for one in full if one.since is not None]
    if begun and hears.full_topics(survey):
        heard = hearing(session, archive, hears, survey, window)
        reason = None if heard.is_known else "; ".join(one.reason for one in heard.unheard)
        return Standing(survey=survey, reason=reason, since=min(begun), heard=heard)
    others = ", ".join(sorted(one.name for one in streams if one not in full))
    if full:
        reason = f"no alert of {survey} has come yet by a topic of {full[0].name}" + (
            f" and of no other than {others}" if others else ""
        )
    elif streams:
        reason = f"{survey} is heard only through filters ({others}): what they left out is not known"
    else:
        reason = f"no source of this hub listens to {survey}"
    return Standing(survey=survey, reason=reason, since=None)


def at_position(
    session: Session,
    archive: Path,
    *,
    ra_deg: float,
    dec_deg: float,
    start: Instant | None,
    end: Instant,
    band: str | None = None,
    survey: str | None = None,
    limit: int = 50,
) -> Body:
    """Return when a position was searched in a window, how deep and in which bands, the latest visits first.

    Raises
    ------
    InvalidRequest
        The window ends before it begins or is longer than `MAX_WINDOW_D`.
    StorageError
        A ledger cannot be read.
    """
    begin = start or end.plus_s(-USUAL_WINDOW_D * _DAY_S)
    _check_window(begin, end, MAX_WINDOW_D)
    said = standings(session, archive, coverage.heard(session), (begin, end), survey)
    _check_band(archive, said, begin, end, band)
    reach_deg = max((_across_deg(one.survey) for one in said), default=0.0) + _SLACK_DEG
    parts, without_band, unlaid, silent = [], [], [], list[Body]()
    for night in _nights(archive, begin, end):
        near = _of_band(_chosen(visits_file.read_near(archive, night, ra_deg, dec_deg, reach_deg), said, begin, end), band)
        is_in = holding(Halves.of(near.polygons), ra_deg, dec_deg)
        is_told = near.has_band if band is not None else np.ones(len(near), dtype=np.bool_)
        parts.append(near.take(is_in & is_told))
        without_band += _keys(near.take(is_in & ~is_told))
        some_silent, some_unlaid = _not_in(near, is_in, ra_deg, dec_deg)
        silent += some_silent
        unlaid += some_unlaid
    found = joined(parts)
    remarks = _remarks(said)
    doubted = {survey for survey, _ in (*without_band, *unlaid)} | {one["survey"] for one in silent}
    if without_band:
        remarks.append(
            f"{_counted(without_band)} of this place did not say the band: whether it was {text(str(band))} is not known"
        )
    if unlaid:
        remarks.append(
            f"{_counted(unlaid)} near this place sent too few alerts, or too odd ones, to tell where all of the camera looked, "
            "see n_without_footprint: whether this place was searched is not known"
        )
    if silent:
        remarks.append(
            f"in {len(silent)} visit{'s' if len(silent) > 1 else ''} the detector at this place sent no alert, see silent: "
            "its alerts were lost, it was not processed, or there is no template of this sky"
        )
    found = found.take(np.lexsort((found.detector, found.visit, -found.mid_tai_us)))
    rows = [_detector_body(found, index) for index in range(min(limit, len(found)))]
    return {
        "ra_deg": ra_deg,
        "dec_deg": dec_deg,
        "window_start": utc(begin),
        "window_end": utc(end),
        "band": band,
        **_standing_body(said, doubted),
        "remarks": remarks,
        "n_visits": len(_keys(found)),
        "n_without_footprint": len(unlaid),
        "n_without_band": len(without_band),
        "silent": sorted(silent, key=lambda one: str(one["mid_at"]), reverse=True)[:limit],
        "last": rows[0] if rows else None,
        "bands": _bands(found),
        "visits": rows,
    }


def of_event(
    session: Session,
    archive: Path,
    name: str,
    *,
    start: Instant | None = None,
    end: Instant | None = None,
    now: Instant,
    depth_ab: float | None = None,
    band: str | None = None,
    survey: str | None = None,
    limit: int = 1000,
) -> Body:
    """Return what share of an event's map was searched in a window, by which visits and programmes, each place once.

    Parameters
    ----------
    session, archive
        What is asked.
    name
        Of the event, any.
    start, end
        The window; from t0 to the present or `USUAL_EVENT_WINDOW_D` after, whichever is earlier, where not given.
    now
        The present.
    depth_ab
        Detectors count that reached this AB magnitude at 5 sigma; all where not given.
    band, survey
        Count alone; all where not given.
    limit
        Visits that are listed; all are counted.

    Raises
    ------
    NotFound
        There is no such event.
    InvalidRequest
        The event has no map, or the window cannot be.
    StorageError
        A ledger cannot be read.
    """
    event = find_event(session, name)
    if event.localization_id is None:
        raise InvalidRequest(f"the event {event.event_id} has no localization: there is no map whose share could be searched")
    begin = start or _t0(event)
    until = end or max(begin, min(now, begin.plus_s(USUAL_EVENT_WINDOW_D * _DAY_S)))
    _check_window(begin, until, MAX_EVENT_WINDOW_D)
    said = standings(session, archive, coverage.heard(session), (begin, until), survey)
    _check_band(archive, said, begin, until, band)
    whole = joined([visits_file.read(archive, night) for night in _nights(archive, begin, until)])
    in_time = _of_band(_chosen(whole, said, begin, until), band)
    is_told = in_time.has_band if band is not None else np.ones(len(in_time), dtype=np.bool_)
    has_depth = in_time.has_depth if depth_ab is not None else np.ones(len(in_time), dtype=np.bool_)
    is_deep = has_depth if depth_ab is None else has_depth & (ab_mag(in_time.depth_njy) >= depth_ab)
    found = in_time.take(is_told & is_deep)
    doubted, remarks = _doubts_of_share(in_time, is_told, has_depth)
    found = found.take(np.lexsort((found.detector, found.visit, found.mid_tai_us)))
    share = share_of(find_localization(session, event.localization_id).skymap, Halves.of(found.polygons))
    visits = _visits_of_map(found, share.gain, _complete(whole))
    is_known = any(one.is_known for one in said)
    return {
        "event_id": text(event.event_id),
        "localization_id": event.localization_id,
        "window_start": utc(begin),
        "window_end": utc(until),
        "depth_ab": depth_ab,
        "band": band,
        **_standing_body(said, doubted),
        "remarks": [*_remarks(said), *remarks],
        "searched_prob": min(share.total, 1.0) if is_known else None,
        "n_visits": len(visits),
        "n_detectors": len(found),
        "n_too_shallow": int((is_told & has_depth & ~is_deep).sum()),
        "n_without_band": int((~is_told).sum()),
        "n_without_depth": int((is_told & ~has_depth).sum()),
        "n_without_footprint": int(_is_without(found).sum()),
        "n_incomplete": sum(bool(one["missing"]) for one in visits),
        "programmes": _programmes(visits),
        "visits": visits[:limit],
    }


def visits_around(  # noqa: PLR0917 - what is asked, of whom, when and where
    session: Session, archive: Path, hears: Coverage, survey: str, window: Window, points: MapPoints
) -> tuple[DetectorVisits | None, str]:
    """Return the visits of a survey in a window that looked at or near some points, and what must be read with them.

    None and the reason where nothing is known; else the sentences of parts of the window that were not heard, empty without any.

    A visit is near that lies no farther from a point than the points lie from one another.
    """
    said = standings(session, archive, hears, window, survey)
    if not any(one.is_known for one in said):
        return None, "; ".join(one.reason for one in said if one.reason)
    from scipy.spatial import cKDTree  # noqa: PLC0415 - takes a third of a second, and few need it

    if not len(points):
        return DetectorVisits.empty(), "; ".join(_remarks(said))
    tree = cKDTree(unit_vectors(points.ra_deg, points.dec_deg))
    within = float(np.radians(_AROUND_DEG) + np.radians(2.0 * np.sqrt(points.area_deg2.max())))
    ranges, parts = around_points(points.ra_deg, points.dec_deg, 1.1 * np.degrees(within)), []
    for night in _nights(archive, *window):
        found = _chosen(visits_file.read_in(archive, night, ranges), said, *window)
        parts.append(found.take(tree.query(unit_vectors(found.ra_deg, found.dec_deg), distance_upper_bound=within)[0] < np.inf))
    whole = joined(parts)
    _, remarks = _doubts_of_share(whole, whole.has_band, whole.has_depth)
    return whole.take(np.lexsort((whole.detector, whole.visit, whole.mid_tai_us))), "; ".join([*_remarks(said), *remarks])


def visit_page(
    session: Session,
    archive: Path,
    *,
    night: int | None,
    survey: str | None = None,
    incomplete_only: bool = False,
    limit: int,
    before: tuple[int, str] | None = None,
) -> tuple[Page, list[Standing]]:
    """Return the visits of a night (of the last one that has any), the latest first, and what may be said of their surveys."""
    hears = coverage.heard(session)
    which = night if night is not None else _last_night(archive, hears)
    said = standings(session, archive, hears, _times_of(archive, hears, which), survey)
    if not any(one.is_known for one in said):
        return Page(bodies=[], last=None), said
    rows = _chosen(visits_file.read(archive, which), said, None, None)
    complete = _complete(rows)
    keyed = []
    for index in _by_visit(rows):
        one = rows.take(index)
        key = (int(one.mid_tai_us.min()), f"{one.survey.text(0)} {int(one.visit[0])}")
        if before is not None and (-key[0], key[1]) <= (-before[0], before[1]):
            continue
        if incomplete_only and not _of(complete, one).missing:
            continue
        keyed.append((key, one))
    keyed.sort(key=lambda pair: (-pair[0][0], pair[0][1]))
    bodies = [_visit_body(one, _of(complete, one), which) for _, one in keyed[:limit]]
    return Page(bodies=bodies, last=keyed[limit - 1][0] if len(keyed) > limit else None), said


def night_named(day: str) -> int:
    """Return the night that begins on a date, ``2026-11-23``.

    Raises
    ------
    InvalidRequest
        It is no date.
    """
    try:
        return (date.fromisoformat(day) - DAY_0).days
    except ValueError as error:
        raise InvalidRequest(f"a night is the date on which it begins, such as 2026-11-23: {error}", field="night") from error


def _t0(event: Event) -> Instant:
    if event.t0 is None:
        raise InvalidRequest(f"the event {event.event_id} has no time: say from when on", field="from")
    return event.t0


def _check_window(begin: Instant, end: Instant, longest_d: float) -> None:
    if end < begin:
        raise InvalidRequest("the window ends before it begins", field="until")
    if end.minus(begin) > longest_d * _DAY_S:
        raise InvalidRequest(f"the window is longer than {longest_d:g} days", field="from")


def _nights(archive: Path, begin: Instant, end: Instant) -> list[int]:
    first, last = night_of(begin.tai_us), night_of(end.tai_us)
    return [night for night in visits_file.nights(archive) if first <= night <= last]


def _last_night(archive: Path, hears: Coverage) -> int:
    """Return the last night of which any full topic brought visits; of none at all one that had none."""
    full = surveys_in_full(hears)
    for night in reversed(visits_file.nights(archive)):
        if any(one.topic in full.get(one.survey, ()) for one in visits_file.read_note(archive, night).spans):
            return night
    return 0


def _times_of(archive: Path, hears: Coverage, night: int) -> Window:
    """Return from when to when anything was heard in full in a night, or the night where nothing was."""
    full = surveys_in_full(hears)
    spans = [one for one in visits_file.read_note(archive, night).spans if one.topic in full.get(one.survey, ())]
    if not spans:
        return bounds(night)
    return Instant(min(one.first_us for one in spans)), Instant(max(one.last_us for one in spans))


def _check_band(archive: Path, said: Sequence[Standing], begin: Instant, end: Instant, band: str | None) -> None:
    """Refuse a band that no survey has: that it was never searched says nothing.

    Raises
    ------
    InvalidRequest
        With the bands that there are.
    """
    surveys = [one.survey for one in said if one.is_known]
    there: dict[str, set[str]] = {survey: set(cameras()[survey].bands) if survey in cameras() else set() for survey in surveys}
    if band is None or not surveys or any(band in bands for bands in there.values()):
        return
    for night in _nights(archive, begin, end):
        bands = visits_file.read_note(archive, night).bands
        for survey in surveys:
            there[survey].update(bands.get(survey, ()))
    if not any(band in bands for bands in there.values()):
        lists = "; ".join(f"{text(survey)} has {', '.join(sorted(bands)) or 'none'}" for survey, bands in sorted(there.items()))
        raise InvalidRequest(f"no survey that is heard in full has a band {band!r}: {lists}", field="band")


def _chosen(visits: DetectorVisits, said: Sequence[Standing], begin: Instant | None, end: Instant | None) -> DetectorVisits:
    """Return the rows of times in which their survey was heard in full, within a window."""
    mask = np.zeros(len(visits), dtype=np.bool_)
    for one in said:
        times = [(some.begin_us, some.end_us) for some in one.heard.heard] if one.heard is not None else []
        for first, last in times:
            mask |= _says(visits.survey, {one.survey}) & (visits.mid_tai_us >= first) & (visits.mid_tai_us <= last)
    if begin is not None:
        mask &= visits.mid_tai_us >= begin.tai_us
    if end is not None:
        mask &= visits.mid_tai_us <= end.tai_us
    return visits.take(mask)


def _of_band(visits: DetectorVisits, band: str | None) -> DetectorVisits:
    """Return the rows of a band, and those that do not say theirs."""
    if band is None:
        return visits
    return visits.take(
        np.isin(visits.band.codes, [code for code, one in enumerate(visits.band.values) if one == "" or band in one.split(",")])
    )


Key = tuple[str, int]
"""Survey and visit."""


def _keys(visits: DetectorVisits) -> list[Key]:
    return sorted({*zip(visits.survey.texts(), visits.visit.tolist(), strict=True)})


def _counted(visits: Collection[Key]) -> str:
    return "a visit" if len(visits) == 1 else f"{len(visits)} visits"


def _across_deg(survey: str) -> float:
    """Return how far apart two places in a survey's camera are at most."""
    camera = cameras().get(survey)
    return 2.0 * _radius_deg(camera) if camera is not None else UNKNOWN_CAMERA_DEG


def _radius_deg(camera: Camera) -> float:
    return float(np.degrees((np.abs(camera.centres) + np.abs(camera.half_sizes)).max()))


def _not_in(near: DetectorVisits, is_in: NDArray[np.bool_], ra_deg: float, dec_deg: float) -> tuple[list[Body], list[Key]]:
    """Return what may have looked at a position though no footprint holds it.

    Returns
    -------
    tuple
        The visits of which a detector looked at it and sent no alert: it is missing there, and not empty. And those of which
        it is not known where all of their camera looked, though it may have been here.
    """
    chords = np.linalg.norm(unit_vectors(near.ra_deg, near.dec_deg) - unit_vectors(ra_deg, dec_deg), axis=-1)
    apart = np.degrees(2.0 * np.arcsin(np.minimum(chords / 2.0, 1.0)))
    in_part = near.is_in_part
    silent, unlaid = [], []
    for rows in _by_visit(near):
        survey = near.survey.text(rows[0])
        if is_in[rows].any() or apart[rows].min() > _across_deg(survey) + _SLACK_DEG:
            continue
        camera = cameras().get(survey)
        laid = rows[~in_part[rows]]
        if camera is None or not len(laid):
            unlaid.append((survey, int(near.visit[rows[0]])))
            continue
        farthest = _radius_deg(camera) + np.degrees(np.abs(camera.centres[near.detector[laid]])) + _SLACK_DEG
        if (apart[laid] > farthest).any():  # beyond the edge of the camera
            continue
        if len(laid) < len(rows):
            unlaid.append((survey, int(near.visit[rows[0]])))
        detector = silent_detector(camera, near.take(rows), ra_deg, dec_deg)
        if detector is not None:
            one = _detector_body(near, int(rows[0]))
            silent.append({name: one[name] for name in ("survey", "visit", "mid_at", "band")} | {"detector": detector})
    return silent, unlaid


def _doubts_of_share(
    visits: DetectorVisits, is_told: NDArray[np.bool_], has_depth: NDArray[np.bool_]
) -> tuple[set[str], list[str]]:
    """Return the surveys of which more may have been searched than the footprints say, and the sentences why."""
    found: set[str] = set()
    remarks = []
    for mask, said in (
        (
            visits.is_in_part,
            "sent too few alerts, or too odd ones, to tell where all of the camera looked: more may have been searched",
        ),
        (~is_told, "did not say the band and may be of any"),
        (~has_depth, "did not say how deep it went"),
    ):
        if keys := _keys(visits.take(mask)):
            found |= {survey for survey, _ in keys}
            remarks.append(f"{_counted(keys)} {said}")
    return found, remarks


def _says(words: Any, wanted: Collection[str]) -> NDArray[np.bool_]:
    return np.asarray(np.isin(words.codes, [code for code, value in enumerate(words.values) if value in wanted]))


def _is_without(visits: DetectorVisits) -> NDArray[np.bool_]:
    return _says(visits.footprint, {FootprintKind.NONE.value})


def _by_visit(visits: DetectorVisits) -> list[NDArray[np.intp]]:
    """Return the rows of each visit, in order of their times."""
    if not len(visits):
        return []
    codes = np.unique(np.array(visits.survey.texts()), return_inverse=True)[1]
    _, which = np.unique(np.stack([codes, visits.visit]), axis=1, return_inverse=True)
    order = np.lexsort((visits.detector, which))
    rows = np.split(order, np.flatnonzero(np.diff(which[order])) + 1)
    return sorted(rows, key=lambda one: (int(visits.mid_tai_us[one].min()), int(visits.visit[one[0]])))


def _complete(visits: DetectorVisits) -> dict[tuple[str, int], Completeness]:
    found: dict[tuple[str, int], Completeness] = {}
    nights = nights_of(visits.mid_tai_us)
    for survey in sorted(set(visits.survey.texts())):
        own = _says(visits.survey, {survey})
        camera = cameras().get(survey)
        for night in np.unique(nights[own]).tolist():
            told = completeness(visits.take(own & (nights == night)), range(len(camera)) if camera else ())
            found.update({(survey, one.visit): one for one in told})
    return found


def _of(complete: dict[tuple[str, int], Completeness], one: DetectorVisits) -> Completeness:
    visit = int(one.visit[0])
    nothing = Completeness(visit=visit, n_received=0, n_expected=None, missing=(), basis=None)
    return complete.get((one.survey.text(0), visit), nothing)


def _visits_of_map(found: DetectorVisits, gain: NDArray[np.float64], complete: dict[tuple[str, int], Completeness]) -> list[Body]:
    bodies = []
    so_far = 0.0
    for index in _by_visit(found):
        one = found.take(index)
        share = float(gain[index].sum())
        so_far += share
        body = _visit_body(one, _of(complete, one), night_of(int(one.mid_tai_us[0])))
        bodies.append(body | {"gain": share, "searched_prob": min(so_far, 1.0)})
    return bodies


def _programmes(visits: Iterable[Body]) -> list[Body]:
    gains: dict[tuple[str, str], list[float]] = {}
    for one in visits:
        gains.setdefault((one["observation_reason"], one["target_name"]), []).append(one["gain"])
    rows = [
        {"observation_reason": reason, "target_name": target, "n_visits": len(some), "gain": float(sum(some))}
        for (reason, target), some in gains.items()
    ]
    return sorted(rows, key=lambda row: (-row["gain"], row["observation_reason"], row["target_name"]))


def _bands(found: DetectorVisits) -> list[Body]:
    rows = []
    names = found.band.texts()
    for band in sorted(set(names)):
        own = found.take(np.array([name == band for name in names]))
        depths = ab_mag(own.depth_njy)
        rows.append(
            {
                "band": text(band),
                "n_visits": len({*zip(own.survey.texts(), own.visit.tolist(), strict=True)}),
                "last_at": utc(Instant(int(own.mid_tai_us.max()))),
                "deepest_ab": jsonable(float(np.nanmax(depths))) if np.isfinite(depths).any() else None,
            }
        )
    return rows


def _detector_body(found: DetectorVisits, index: int) -> Body:
    depth = float(found.depth_njy[index])
    return {
        "survey": text(found.survey.text(index)),
        "visit": str(int(found.visit[index])),
        "detector": int(found.detector[index]),
        "mid_at": utc(Instant(int(found.mid_tai_us[index]))),
        "band": text(found.band.text(index)),
        "depth_njy": jsonable(depth),
        "depth_ab": jsonable(float(ab_mag(depth))),
        "footprint": found.footprint.text(index),
        "n_alerts": int(found.n_alerts[index]),
        "observation_reason": text(found.reason.text(index)),
        "target_name": text(found.target.text(index)),
        "schema": text(found.schema.text(index)),
        "reliability_version": text(found.reliability_version.text(index)),
    }


def _visit_body(one: DetectorVisits, told: Completeness, night: int) -> Body:
    depths = one.depth_njy[np.isfinite(one.depth_njy)]
    depth = float(np.median(depths)) if len(depths) else float("nan")
    kinds = Counter(one.footprint.texts())
    return {
        "survey": text(one.survey.text(0)),
        "visit": str(int(one.visit[0])),
        "night": night_name(night),
        "mid_at": utc(Instant(int(one.mid_tai_us.min()))),
        "band": _listed(one.band.texts()),
        "depth_njy": jsonable(depth),
        "depth_ab": jsonable(float(ab_mag(depth))),
        "n_alerts": int(one.n_alerts.sum()),
        "n_detectors": len(one),
        "n_expected": told.n_expected,
        "expected_by": told.basis,
        "missing": list(told.missing),
        "area_deg2": float(areas_deg2(one.polygons).sum()),
        "footprints": {kind.value: kinds.get(kind.value, 0) for kind in FootprintKind},
        "observation_reason": _listed(one.reason.texts()),
        "target_name": _listed(one.target.texts()),
        "schema": _listed(one.schema.texts()),
        "reliability_version": _listed(one.reliability_version.texts()),
    }


def _listed(texts: Iterable[str]) -> str:
    return text(",".join(sorted({one for one in texts if one})))


def _standing_body(said: Sequence[Standing], doubted: Collection[str] = ()) -> Body:
    """Return what may be said; what is known of surveys that may have searched more than is told is known in part."""
    surveys = [
        one.body() | ({"coverage": "partial"} if one.survey in doubted and one.coverage == "known" else {}) for one in said
    ]
    states = {str(body["coverage"]) for one, body in zip(said, surveys, strict=True) if one.is_known}
    reasons = [one.reason for one in said if one.reason]
    reason = None if states else "; ".join(reasons) or "no source of this hub listens to the alerts of a survey"
    state = "unknown" if not states else "known" if states == {"known"} else "partial"
    return {"coverage": state, "reason": reason, "surveys": surveys}


def _remarks(said: Sequence[Standing]) -> list[str]:
    """Return what an answer must be read with: parts of the window that were not heard, as sentences."""
    found = [one.reason for told in said if told.is_known and told.heard is not None for one in told.heard.unheard]
    return list(dict.fromkeys(found))[:MAX_REMARKS]
