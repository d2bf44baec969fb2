"""What the hub hears of the surveys: recorded when it begins to listen, and kept with everything that follows from it."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from hub.errors import ConfigError
from hub.model.coverage import AlertStream, Coverage, Selection, SelectionKind, doubling
from hub.ports import Clock
from hub.storage import alert_streams
from hub.storage.engine import Store

READ_AGAIN_S = 10.0
"""What other processes heard is looked for again after this, seconds."""

MAX_TOLD = 10_000
"""Most pairs of source and survey that are remembered as noted; a longer list is for nobody but an attacker."""

_BETWEEN = "/"
"""Between source and survey in the name of a stream without a map; no map has it in its name."""

_POSTED = "http:"
"""Begins the sources of what users post to the API."""


def check(streams: Sequence[AlertStream]) -> None:
    """Refuse streams that must not be heard together.

    Raises
    ------
    ConfigError
        One detection would count as two: it comes with the survey's id by one stream and without by another.
    """
    if (pair := doubling(streams)) is not None:
        one, other = pair
        raise ConfigError(
            f"the streams {one} and {other} cannot be heard together: {one} does not bring the survey's ids of the detections, "
            "so each would count twice"
        )


class Listening:
    """Knows what is heard: filtered streams from the start on, a full one once its first alert came, from any thread.

    Alerts that come over a network by a source that names no stream map count as a filtered stream of unknown selection.

    Parameters
    ----------
    store
        Remembers it.
    streams
        The streams that sources listen to, by the names that envelopes bear.
    clock
        Tells the time.
    unnamed
        Sources on a network that name no stream.

    Raises
    ------
    ConfigError
        The streams must not be heard together.
    """

    def __init__(self, store: Store, streams: Mapping[str, AlertStream], clock: Clock, *, unnamed: Collection[str] = ()) -> None:
        check(tuple(streams.values()))
        self._store = store
        self._streams = dict(streams)
        self._clock = clock
        self._unnamed = frozenset(unnamed)
        self._told: set[tuple[str, str | None, str, tuple[str, ...]]] = set()
        self._turn = threading.Lock()
        with store.transaction() as session:
            known = {one.name for one in alert_streams.listing(session)}
            now = [one for one in streams.values() if one.name in known or one.selection.kind is SelectionKind.FILTERED]
            alert_streams.save(session, now, clock())
            self._read(session)

    def hears(self, source: str, stream: str | None, survey: str, topics: Sequence[str] = ()) -> None:
        """Note, durably, that alerts of a survey came by a source, a stream map and topics; quick but for the first time."""
        key = (source, stream, survey, tuple(topics))
        if key in self._told:
            return
        with self._turn:
            found = self._streams.get(stream) if stream is not None else self._without_name(source, survey)
            if found is not None and found.survey == survey and source in found.sources:
                now = self._clock()
                named = tuple((topic, now) for topic in topics if topic)
                with self._store.transaction() as session:
                    alert_streams.save(session, [replace(found, topics=named)], now)
                    self._read(session)
            if len(self._told) < MAX_TOLD:
                self._told.add(key)

    def coverage(self, session: Session) -> Coverage:
        """Return what is heard, by this process or, up to `READ_AGAIN_S` ago, by another."""
        if time.monotonic() - self._read_at >= READ_AGAIN_S:
            self._read(session)
        return self._coverage

    def _read(self, session: Session) -> None:
        rows = {one.name: one for one in alert_streams.listing(session)}
        named = [rows.get(one.name, one) for one in self._streams.values()]
        others = [one for one in rows.values() if _BETWEEN in one.name and self._is_unnamed(one.sources[0])]
        self._coverage = Coverage((*named, *others))
        self._read_at = time.monotonic()

    def _is_unnamed(self, source: str) -> bool:
        return source in self._unnamed or source.startswith(_POSTED)

    def _without_name(self, source: str, survey: str) -> AlertStream | None:
        """Return the stream that alerts without a stream map count as; None for those of files."""
        if not self._is_unnamed(source):
            return None
        advice = "posted to the API" if source.startswith(_POSTED) else f"set `stream` in [sources.{source}]"
        selection = Selection(
            kind=SelectionKind.FILTERED,
            cuts=f"what it leaves out is not known: {advice}",
            not_claimed=("rates", "non-detections"),
        )
        return AlertStream(name=f"{source}{_BETWEEN}{survey}", survey=survey, selection=selection, sources=(source,))


def heard(session: Session) -> Coverage:
    """Return every stream that the hub ever listened to."""
    return Coverage(tuple(alert_streams.listing(session)))


def by_source(session: Session) -> dict[str, dict[str, Any]]:
    """Return for each source that brings alerts its stream, as JSON values."""
    return {source: body(one) for one in alert_streams.listing(session) for source in one.sources}


def body(stream: AlertStream) -> dict[str, Any]:
    """Return a stream as JSON values."""
    said = stream.selection
    facts: Mapping[str, Any] = {
        "filter_name": said.filter_name,
        "reliability_min": said.reliability_min,
        "snr_min": said.snr_min,
        "classes": list(said.classes),
        "sky": said.sky,
        "delay_s": said.delay_s,
        "independent_of": list(said.independent_of),
    }
    return {
        "name": stream.name,
        "survey": stream.survey,
        "selection": said.kind.value,
        "cuts": said.cuts,
        **facts,
        "not_claimed": list(said.not_claimed),
        "tells_past": stream.tells_past,
        "since": stream.since.to_utc_iso() if stream.since else None,
    }
