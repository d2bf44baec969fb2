"""Sources, destinations and telescope networks of the settings, opened or tried by their names."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from adapters import catalogue
from adapters.transports.kafka.listening import Heard
from hub.bootstrap.clock import now
from hub.config import DestinationSection, NetworkSection, Settings, SourceSection
from hub.errors import ConfigError
from hub.model.instant import Instant
from hub.ports import Clock, Incident, MessageSource, PartContext, Place, PushSource, Sink
from hub.storage import heard, incidents, positions
from hub.storage.engine import Store


def enabled_sources(settings: Settings) -> dict[str, SourceSection]:
    """Return the sources that are to be opened, by name."""
    return {name: one for name, one in settings.sources.items() if one.enabled}


def enabled_destinations(settings: Settings) -> dict[str, DestinationSection]:
    """Return the destinations that messages go to, by name."""
    return {name: one for name, one in settings.destinations.items() if one.enabled}


def enabled_networks(settings: Settings) -> dict[str, NetworkSection]:
    """Return the telescope networks that may be spoken to, by name."""
    return {name: one for name, one in settings.networks.items() if one.enabled}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartKind:
    """A kind of source, destination or telescope network as a person reads of it."""

    kind: str
    part: str
    """``source``, ``destination`` or ``network``."""

    summary: str
    options: tuple[tuple[str, str, str], ...]
    """Key, default (empty where it must be given) and meaning of each."""


def part_kinds() -> list[PartKind]:
    """Return every kind of source, destination and telescope network with its options."""
    return [
        PartKind(
            kind=kind,
            part=part,
            summary=(module.Options.__doc__ or "").partition("\n")[0],
            options=tuple(
                (
                    key,
                    "" if field.is_required() else _default(field.get_default(call_default_factory=True)),
                    field.description or "",
                )
                for key, field in module.Options.model_fields.items()
            ),
        )
        for part, modules in (
            ("source", catalogue.sources()),
            ("destination", catalogue.sinks()),
            ("network", catalogue.networks()),
        )
        for kind, module in sorted(modules.items())
    ]


def _default(value: object) -> str:
    return json.dumps(value, default=str)


def check_shared(settings: Settings, name: str) -> None:
    """Check that several processes can share a source and the state.

    Raises
    ------
    ConfigError
        The state is one of a single writer, or the source is of a kind that cannot be shared.
    """
    section = settings.sources[name]
    if settings.storage_url.startswith("sqlite"):
        raise ConfigError(
            "storage.url: several workers need PostgreSQL for their state, since SQLite lets only one process write at a time:"
            " name a database postgresql+psycopg://USER@HOST/NAME, or run one worker"
        )
    options = catalogue.source_options(section.kind, f"sources.{name}", section.options)
    if not hasattr(options, "group_id"):
        raise ConfigError(f"sources.{name}: a source of kind {section.kind!r} has no consumer group, so workers cannot share it")
    if getattr(options, "group_instance_id", ""):
        raise ConfigError(f"sources.{name}.group_instance_id names one member of the group: leave it out for several workers")


def open_source(
    settings: Settings, store: Store, name: str, *, clock: Clock | None = None
) -> AbstractContextManager[MessageSource | PushSource]:
    """Return the source of a name, closed when the context ends.

    Raises
    ------
    ConfigError
        An option is missing or wrong.
    """
    section = settings.sources[name]
    options = catalogue.source_options(section.kind, f"sources.{name}", section.options)
    return catalogue.open_source(section.kind, options, _context(settings, store, name, clock))


def listen_to(
    settings: Settings, name: str, topics: Sequence[str], *, since_s: float | None = None, until_eos: bool = False
) -> Iterator[Heard | None]:
    """Yield what lies in or comes to topics of a source's broker, and disturb nobody; see `adapters.transports.kafka.listening`.

    Raises
    ------
    ConfigError
        There is no such source, or it is of no kind that has topics.
    Transient
        The broker does not answer.
    """
    section = settings.sources.get(name)
    if section is None:
        raise ConfigError(f"there is no table [sources.{name}] in the settings")
    options = catalogue.source_options(section.kind, f"sources.{name}", section.options)
    context = trial_context(settings, name)
    return catalogue.listen(section.kind, options, context, topics, since_s=since_s, until_eos=until_eos)


def open_sink(settings: Settings, store: Store, name: str, *, clock: Clock | None = None) -> AbstractContextManager[Sink]:
    """Return the destination of a name, closed when the context ends; errors as `open_source`."""
    section = settings.destinations[name]
    options = catalogue.sink_options(section.kind, f"destinations.{name}", section.options)
    return catalogue.open_sink(section.kind, options, _context(settings, store, name, clock))


def check_source(settings: Settings, name: str) -> list[str]:
    """Try the connection of a source once and return what is wrong, in sentences; none where all is well or nothing can be tried.

    Raises
    ------
    ConfigError
        An option is missing or wrong.
    """
    section = settings.sources[name]
    options = catalogue.source_options(section.kind, f"sources.{name}", section.options)
    return catalogue.check(catalogue.sources()[section.kind], options, trial_context(settings, name))


def check_sink(settings: Settings, name: str) -> list[str]:
    """Try the connection of a destination once; as `check_source`."""
    section = settings.destinations[name]
    options = catalogue.sink_options(section.kind, f"destinations.{name}", section.options)
    return catalogue.check(catalogue.sinks()[section.kind], options, trial_context(settings, name))


def check_network(settings: Settings, name: str) -> list[str]:
    """Ask a telescope network once whether it knows the account and what the settings name; as `check_source`."""
    section = settings.networks[name]
    options = catalogue.network_options(section.kind, f"networks.{name}", section.options)
    return catalogue.check(catalogue.networks()[section.kind], options, trial_context(settings, name))


def trial_context(settings: Settings, name: str) -> PartContext:
    """Return what a part gets that is opened to be tried or asked, without a database."""
    return PartContext(
        name=name, authority=settings.hub.authority, data_dir=settings.hub.data_dir, clock=now, report=lambda _: None
    )


def _context(settings: Settings, store: Store, name: str, clock: Clock | None) -> PartContext:
    tells = clock or now
    return PartContext(
        name=name,
        authority=settings.hub.authority,
        data_dir=settings.hub.data_dir,
        clock=tells,
        report=partial(_report, store, name, tells),
        heard=partial(_heard, store, name),
        last_heard=partial(_last_heard, store, name),
        places=partial(_places, store, name),
        packet_bytes=round(settings.intake.alert_batch_mb * 1e6),
    )


def _places(store: Store, name: str) -> Mapping[tuple[str, int], Place]:
    with store.reading() as session:
        return positions.places(session, name)


def _report(store: Store, name: str, clock: Clock, incident: Incident) -> None:
    with store.transaction() as session:
        incidents.record(session, name, incident, clock())


def _heard(store: Store, name: str, until: Instant) -> None:
    with store.transaction() as session:
        heard.note(session, name, until)


def _last_heard(store: Store, name: str) -> Instant | None:
    with store.reading() as session:
        return heard.until(session, name)
