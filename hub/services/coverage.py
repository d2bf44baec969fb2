"""What the hub hears of the surveys: recorded when it begins to listen, and kept with everything that follows from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from hub.errors import ConfigError
from hub.model.coverage import AlertStream, Coverage, doubling
from hub.model.instant import Instant
from hub.storage import alert_streams
from hub.storage.engine import Store


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


def listen(store: Store, streams: Sequence[AlertStream], at: Instant) -> Coverage:
    """Record that these streams are listened to from now on; return what is heard.

    Raises
    ------
    ConfigError
        They must not be heard together.
    """
    check(streams)
    if not streams:
        return Coverage()
    with store.transaction() as session:
        alert_streams.save(session, streams, at)
        known = {one.name: one for one in alert_streams.listing(session)}
    return Coverage(tuple(known[one.name] for one in streams))


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
