"""Where announcements go to, and what is private to whom."""

from collections.abc import Callable, Mapping

from adapters.codecs.gcn_unified.writer import GcnUnifiedRenderer
from adapters.codecs.hub_avro import HubAvroRenderer
from adapters.codecs.hub_json import HubJsonRenderer
from adapters.codecs.hub_text import HubTextRenderer
from adapters.codecs.voevent.renderer import VoeventRenderer
from hub.bootstrap.parts import enabled_destinations
from hub.bootstrap.streams import alert_streams
from hub.config import Settings
from hub.ports import Renderer
from hub.services.routes import Route
from hub.storage import privacy
from hub.storage.engine import Store
from hub.storage.privacy import PrivateKind

RENDERERS: Mapping[str, Callable[[], Renderer]] = {
    "voevent": VoeventRenderer,
    "hub-json": HubJsonRenderer,
    "hub-avro": HubAvroRenderer,
    "gcn-unified": GcnUnifiedRenderer,
    "text": HubTextRenderer,
}
"""How announcements can be written, by the word of the settings."""


def routes_of(settings: Settings) -> tuple[Route, ...]:
    """Return where messages go to; destinations of one format share their renderer."""
    renderers: dict[str, Renderer] = {}
    return tuple(
        Route(
            destination=name,
            renderer=renderers.setdefault(one.format, RENDERERS[one.format]()),
            subjects=frozenset(one.subjects),
            relay=one.relay,
            relay_roles=frozenset(one.relay_roles),
            relay_untrusted=one.relay_untrusted,
            group=one.group,
            echo_within_s=one.echo_within_s,
        )
        for name, one in enabled_destinations(settings).items()
    )


def echo_of(settings: Settings) -> dict[str, str]:
    """Return for each source that listens to one of the destinations which one."""
    return {name: one.echo_of for name, one in settings.sources.items() if one.echo_of}


def declare_private(settings: Settings, store: Store) -> None:
    """Write down which parts are private to which group, where that changed; a part that is no more keeps its group.

    Raises
    ------
    ConfigError
        A stream map is wrong.
    """
    parts = {
        (kind, name): one.group
        for kind, sections in (
            (PrivateKind.SOURCE, settings.sources),
            (PrivateKind.DESTINATION, settings.destinations),
            (PrivateKind.NETWORK, settings.networks),
        )
        for name, one in sections.items()
    }
    for stream in alert_streams(settings):
        groups = {settings.sources[name].group for name in stream.sources}
        parts[PrivateKind.SURVEY, stream.survey] = groups.pop() if len(groups) == 1 else ""
    with store.reading() as session:
        known = privacy.every(session)
    if any(known.get(part, "") != group for part, group in parts.items()):
        with store.transaction() as session:
            privacy.declare(session, parts)
