"""The composition root: settings to opened parts. Only this module knows who plugs into what."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from adapters import catalogue
from adapters.codecs.alerts import Streams, avro_projection
from adapters.codecs.alerts.stream_map import StreamMap
from adapters.codecs.alerts.stream_map import load as load_streams
from adapters.codecs.decoder import WireDecoder
from adapters.codecs.gcn_unified.writer import GcnUnifiedRenderer
from adapters.codecs.hub_avro import HubAvroRenderer
from adapters.codecs.hub_json import HubJsonRenderer
from adapters.codecs.hub_text import HubTextRenderer
from adapters.codecs.voevent.renderer import VoeventRenderer
from adapters.http import HttpClient, HttpOptions
from adapters.schema_registry import SchemaRegistry
from adapters.transports.kafka.listening import Heard
from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.archive.space import MB
from hub.config import DestinationSection, HubSection, NetworkSection, Settings, SourceSection
from hub.errors import ConfigError, Permanent, StorageError, Transient
from hub.model.coverage import AlertStream
from hub.model.instant import Instant
from hub.model.outgoing import Leaves, Subject
from hub.ports import (
    Clock,
    Decoder,
    Incident,
    MessageSource,
    PartContext,
    Place,
    PlanRenderer,
    PushSource,
    Renderer,
    ReportsPointings,
    Sink,
    SkymapReader,
    TelescopeNetwork,
)
from hub.resources import read_text
from hub.science import sky_index
from hub.science.class_rules import load_class_rules
from hub.science.followup_policy import Policy
from hub.science.host_rules import load_host_rules
from hub.science.localization_table import load_localization_table
from hub.science.low_significance import LowSignificance
from hub.science.ranking import Ranking
from hub.science.rules import load_rules
from hub.science.skymap_fits import SkymapWorker
from hub.services import coverage, policy_check
from hub.services.announcement import Announcements, AnnouncementSettings
from hub.services.cache_limits import CACHES
from hub.services.consequences import Consequence, Consequences
from hub.services.correlation import Correlation
from hub.services.current_catalogs import CatalogWatch, CurrentHosting
from hub.services.dispatch import Dispatch
from hub.services.dry_network import ClosedNetwork, DryNetwork, registers_of, reporters_of
from hub.services.escalation import Escalation, EscalationSettings
from hub.services.flow import Flow
from hub.services.followup import FollowupService
from hub.services.followup_facts import PolicyBook, book_of, shipped
from hub.services.followup_policy import FollowupSettings
from hub.services.held import HeldAlerts
from hub.services.intake import Intake, IntakeSettings
from hub.services.judging import FactSource
from hub.services.known_facts import KnownFacts
from hub.services.last_visits import SureVisits
from hub.services.map_fetch import MapFetching, MapFetchSettings, MapWishes
from hub.services.maps import MapCache
from hub.services.no_cancel import NoCancel
from hub.services.own_pointings import OwnPointings
from hub.services.plan_announcement import PlanAnnouncements
from hub.services.ranking_plugins import ranking_from
from hub.services.register_reports import RegisterReports
from hub.services.registers import Registers, RegisterSettings
from hub.services.relay import Relay
from hub.services.routes import Route
from hub.storage import heard, incidents, positions, privacy
from hub.storage.engine import Store, open_store, upgrade
from hub.storage.identity import identity
from hub.storage.privacy import PrivateKind


def make_data_dir(settings: Settings) -> Path:
    """Return the folder that the hub keeps everything in, made where it was missing.

    Raises
    ------
    ConfigError
        It cannot be made.
    """
    folder = settings.hub.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"hub.data_dir: the hub cannot make the folder {folder}: {error.strerror}") from error
    return folder


@contextmanager
def open_database(settings: Settings) -> Iterator[Store]:
    """Give the state database, which must be there.

    Raises
    ------
    StorageError
        There is none yet, it cannot be reached, or its schema is not the one of this version.
    """
    file = make_url(settings.storage_url).database if settings.storage_url.startswith("sqlite") else None
    if file and not Path(file).exists():
        raise StorageError(f"there is no database {file} yet: `mmhub ingest`, `mmhub demo` or `mmhub db upgrade` makes one")
    try:
        store = open_store(settings.storage_url)
    except DatabaseError as error:  # a file of another kind under the database's name
        raise StorageError(f"the state database cannot be read: {error.orig}") from error
    try:
        yield store
    finally:
        store.close()


def open_decoder(settings: Settings, streams: Iterable[str] = (), schemas: SchemaRegistry | None = None) -> Decoder:
    """Return what reads every wire format; it holds nothing that needs closing.

    Parameters
    ----------
    settings
        All of them.
    streams
        Stream maps that it must have besides those that sources name.
    schemas
        Who knows Avro schemas; one of its own where not given.

    Raises
    ------
    ConfigError
        A stream map is wrong, or a source names one that there is not.
    """
    return WireDecoder(Streams(maps=stream_maps(settings, streams), schemas=(schemas or _schemas(settings)).schema))


def stream_maps(settings: Settings, also: Iterable[str] = ()) -> dict[str, StreamMap]:
    """Return all stream maps by the names that sources call them; raises `ConfigError` as `open_decoder` does."""
    folder = Path(settings.intake.streams_dir) if settings.intake.streams_dir else None
    return load_streams(folder, [*_named_streams(settings), *also])


def alert_streams(settings: Settings) -> list[AlertStream]:
    """Return the alert streams that the sources listen to; raises `ConfigError` as `open_decoder` does."""
    return list(_streams_by_name(settings).values())


def _streams_by_name(settings: Settings) -> dict[str, AlertStream]:
    maps = stream_maps(settings)
    return {
        name: replace(
            maps[name].stream(),
            sources=tuple(
                sorted(source for source, one in enabled_sources(settings).items() if one.options.get("stream") == name)
            ),
        )
        for name in _named_streams(settings)
    }


def _listening(settings: Settings, store: Store, clock: Clock) -> coverage.Listening:
    """Return what knows which alerts the hub hears; what lies in a folder was put there by the operator."""
    unnamed = [name for name, one in enabled_sources(settings).items() if one.kind != FOLDER and not one.options.get("stream")]
    return coverage.Listening(store, _streams_by_name(settings), clock, unnamed=unnamed)


def _named_streams(settings: Settings) -> list[str]:
    named = (one.options.get("stream") for one in enabled_sources(settings).values())
    return sorted({name for name in named if isinstance(name, str) and name})


def _schemas(settings: Settings) -> SchemaRegistry:
    """Return who knows Avro schemas: the data folder, then the registry that the settings name."""
    url = settings.intake.schema_registry
    folder = settings.hub.data_dir / "schemas"
    if not url:
        return SchemaRegistry(folder=folder, seconds=time.monotonic)
    client = _registry_client(url)
    return SchemaRegistry(
        folder=folder, seconds=time.monotonic, url=url, fetch=lambda address: client.get(address).demand_success().body
    )


def _registry_client(url: str) -> HttpClient:
    try:
        host, port = urlsplit(url).hostname or "", urlsplit(url).port
    except ValueError as error:
        raise ConfigError(f"intake.schema_registry: {url} is no address of a server: {error}") from error
    if urlsplit(url).scheme != "https" and host not in LOOPBACK_HOSTS:
        raise ConfigError(f"intake.schema_registry: {url} should begin with https://: schemas are fetched over TLS only")
    return HttpClient(
        HttpOptions(
            hosts=(host,),
            ports=(443, port or 443),
            max_bytes=MAX_SCHEMA_BYTES,
            total_s=SCHEMA_TIMEOUT_S,
            allow_loopback=host in LOOPBACK_HOSTS,
        )
    )


@contextmanager
def open_skymap_reader(settings: Settings) -> Iterator[SkymapWorker]:
    """Give the reader of sky maps; its child process starts with `warm` or the first map, and ends with the context."""
    with SkymapWorker(maps_per_child=settings.skymap.maps_per_child, map_s=settings.skymap.timeout_s) as worker:
        yield worker


def open_history(settings: Settings, store: Store | None = None) -> ArchiveHistory:
    """Return the memory of past alerts; it holds nothing that needs closing, and its folder is made with the first alert.

    With the state database it refuses alerts where it belongs to another one.
    """
    section = settings.archive
    return ArchiveHistory(
        settings.archive_folder,
        ArchiveSettings(
            keep_days=section.keep_days,
            max_bytes=int(section.max_gb * 1e9),
            min_free_bytes=int(section.min_free_mb * MB),
            known_bytes=CACHES.source_ids,
            recent_bytes=CACHES.recent_rows,
        ),
        database=None if store is None else partial(_identity, store),
    )


def _identity(store: Store) -> str:
    with store.transaction() as session:
        return identity(session)


def load_kernels(settings: Settings) -> None:
    """Load what alerts are read and matched with, some seconds once on a machine, for a process that listens to them."""
    if not _named_streams(settings):
        return
    avro_projection.warm_up()
    with suppress(ImportError):  # where numba is not to be had, both do without
        sky_index.warm_up()


def upgrade_database(settings: Settings) -> None:
    """Make the state database or bring it up to date; alerts that a version before the archive kept there move into it.

    Raises
    ------
    ConfigError, StorageError
        It cannot be made or reached.
    """
    upgrade(settings.storage_url, take_alerts=open_history(settings).append)


RENDERERS: Mapping[str, Callable[[], Renderer]] = {
    "voevent": VoeventRenderer,
    "hub-json": HubJsonRenderer,
    "hub-avro": HubAvroRenderer,
    "gcn-unified": GcnUnifiedRenderer,
    "text": HubTextRenderer,
}
"""How announcements can be written, by the word of the settings."""

LOOPBACK_HOSTS = ("localhost", "127.0.0.1")
"""Hosts that may be asked without TLS: this machine."""

TRIAL_S = 10.0
"""Longest time to try one server, seconds."""

_NO_HOSTS = "fetch.hosts: maps are to be fetched, but no host is named that may be asked: name some, or set enabled = false"

SCHEMA_TIMEOUT_S = 10.0
"""Longest time for one schema, seconds."""

MAX_SCHEMA_BYTES = 2 << 20
"""Longest answer of a schema registry, bytes."""

SIMULATED = "simulated"
"""Kind of the network that has no telescopes."""

FOLDER = "folder"
"""Kind of the source that reads files of the operator's."""

DEMO_MARK = "demo-database"
"""File that marks a data folder as a demo's; taken away once anything else writes into the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The opened parts that verbs work with."""

    store: Store
    history: ArchiveHistory
    flow: Flow
    correlation: Correlation
    followups: FollowupService
    maps: MapCache
    held: HeldAlerts
    """Fetches the schemas that alerts wait for."""

    catalogs: CatalogWatch
    """Has candidates evaluated again when catalogues change."""

    map_fetching: MapFetching | None
    """Fetches the maps that notices name; None where the settings do not allow it."""

    registers: Registers | None
    """Asks what others observe and plan; None where the settings have no register, or switch that off."""

    register_reports: RegisterReports | None
    """Tells registers what the hub's own requests observe; None where none is live."""


@contextmanager
def open_hub(
    settings: Settings,
    store: Store,
    *,
    clock: Clock | None = None,
    seed: int = 0,
    skymaps: SkymapReader | None = None,
    sinks: Mapping[str, Sink] | None = None,
    leaves: Leaves = Leaves.ALL,
) -> Iterator[Hub]:
    """Give the whole flow on an open database; the child process that reads sky maps ends with the context.

    Parameters
    ----------
    settings
        All of them.
    store
        From `open_database` or `create_database`.
    clock
        What tells the time; this machine's clock where not given.
    seed
        Of simulated telescope networks.
    skymaps
        Reads sky maps, and is closed by whoever opened it; a reader of the hub's own where not given.
    sinks
        Destinations that `Flow.step` sends to, by name, closed by whoever opened them; the folders among the destinations where
        not given. What goes to others waits in the outbox.
    leaves
        What of that which follows from alerts and notices may leave the hub; where it is not everything, no jobs are done.
    """
    tells = clock or now
    declare_private(settings, store)
    history = open_history(settings, store)
    maps = MapCache(budget_bytes=CACHES.whole_maps, place_budget_bytes=CACHES.candidate_maps)
    rules = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
    routes = routes_of(settings)
    schemas = _schemas(settings)
    listening = _listening(settings, store, tells)
    with ExitStack() as stack:
        reader = skymaps if skymaps is not None else stack.enter_context(open_skymap_reader(settings))
        networks = stack.enter_context(open_networks(settings, clock=tells, seed=seed))
        followups = _followups(settings, store, tells, networks)
        if sinks is None:
            folders = [name for name, one in enabled_destinations(settings).items() if one.kind == "folder"]
            sinks = {name: stack.enter_context(open_sink(settings, store, name, clock=tells)) for name in folders}
        intake = Intake(
            store=store,
            decoder=open_decoder(settings, schemas=schemas),
            skymaps=reader,
            localizations=load_localization_table(read_text("conf/localizations.toml")),
            history=history,
            clock=tells,
            settings=IntakeSettings(authority=settings.hub.authority, echo_of=_echo_of(settings)),
            relay=Relay(routes),
            wishes=MapWishes(tells) if settings.fetch.enabled else None,
            hears=listening.hears,
        )
        correlation = Correlation(
            store=store,
            history=history,
            rules=rules,
            maps=maps,
            announcements=Announcements(
                settings=AnnouncementSettings(authority=settings.hub.authority, enabled=settings.announce.enabled),
                routes=routes,
            ),
            followups=followups,
            clock=tells,
            coverage=listening.coverage,
            leaves=leaves,
            facts=_facts(settings, maps),
            visits=SureVisits(store, history.folder).before,
            ranking=ranking_for(settings),
        )
        dispatch = Dispatch(store=store, sinks=sinks, clock=tells)
        stack.callback(dispatch.release_all)
        own = _own_pointings(followups.policy, networks)
        flow = Flow(
            intake=intake,
            correlation=correlation,
            dispatch=dispatch,
            followups=followups,
            consequences=Consequences(store, tells, _consequences(settings, networks, routes, own)),
        )
        yield Hub(
            store=store,
            history=history,
            flow=flow,
            correlation=correlation,
            followups=followups,
            maps=maps,
            held=HeldAlerts(store=store, flow=flow, schemas=schemas),
            catalogs=CatalogWatch(store, settings.catalogs_folder, settings.catalogs.use, tells),
            map_fetching=_map_fetching(settings, store, reader, tells) if settings.fetch.enabled else None,
            registers=_registers(settings, store, tells, networks, rules.low_significance),
            register_reports=_register_reports(settings, store, tells, networks, own, followups.policy),
        )


def _facts(settings: Settings, maps: MapCache) -> FactSource:
    """Return what knows more of objects than their alerts say."""
    rules = load_host_rules(read_text("conf/hosts.toml"))
    return KnownFacts(
        hosting=CurrentHosting(settings.catalogs_folder, settings.catalogs.use, rules, maps),
        classes=load_class_rules(read_text("conf/classes.toml")),
    )


def _map_fetching(settings: Settings, store: Store, skymaps: SkymapReader, clock: Clock) -> MapFetching:
    section = settings.fetch
    if not section.hosts:
        raise ConfigError(_NO_HOSTS)
    return MapFetching(
        store=store,
        fetcher=HttpClient(HttpOptions(hosts=section.hosts, max_bytes=section.max_bytes, total_s=section.timeout_s)),
        skymaps=skymaps,
        clock=clock,
        settings=MapFetchSettings(give_up_s=section.give_up_h * 3600.0),
    )


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


def _echo_of(settings: Settings) -> dict[str, str]:
    """Return for each source that listens to one of the destinations which one."""
    return {name: one.echo_of for name, one in settings.sources.items() if one.echo_of}


@contextmanager
def open_networks(settings: Settings, *, clock: Clock | None = None, seed: int = 0) -> Iterator[dict[str, TelescopeNetwork]]:
    """Give every telescope network by name; one that is not live takes no request, and looks after those that it has.

    One that cannot be opened, for want of its credential for instance, lets its requests wait: whoever only takes alerts in needs
    no credentials.

    Raises
    ------
    ConfigError
        An option is missing or wrong.
    """
    with ExitStack() as stack:
        yield {name: _open_network(settings, name, clock or now, seed, stack) for name in enabled_networks(settings)}


def _open_network(settings: Settings, name: str, clock: Clock, seed: int, stack: ExitStack) -> TelescopeNetwork:
    section = settings.networks[name]
    options = catalogue.network_options(section.kind, f"networks.{name}", section.options)
    context = replace(_trial_context(settings, name), clock=clock, seed=seed)
    try:
        network = stack.enter_context(catalogue.open_network(section.kind, options, context))
    except ConfigError as error:
        return ClosedNetwork(name, str(error))
    return network if section.live or network.is_simulated else DryNetwork(network)


@contextmanager
def open_followups(settings: Settings, *, clock: Clock | None = None) -> Iterator[tuple[Store, FollowupService]]:
    """Give the state database with follow-up alone, for what a person does beside a hub that runs.

    Raises
    ------
    ConfigError, StorageError
        A setting is wrong; the database is not there or cannot be reached.
    """
    tells = clock or now
    with open_database(settings) as store, open_networks(settings, clock=tells) as networks:
        yield store, _followups(settings, store, tells, networks)


@contextmanager
def open_register(settings: Settings, name: str) -> Iterator[ReportsPointings]:
    """Give a network of the settings that tells where others point.

    Raises
    ------
    ConfigError
        There is no such network, an option of it is missing or wrong, or it tells no pointings.
    """
    section = settings.networks.get(name)
    if section is None:
        raise ConfigError(f"there is no table [networks.{name}] in the settings")
    options = catalogue.network_options(section.kind, f"networks.{name}", section.options)
    with catalogue.open_network(section.kind, options, _trial_context(settings, name)) as network:
        if not isinstance(network, ReportsPointings):
            raise ConfigError(f"networks.{name} is of the kind {section.kind}, which does not tell where others point")
        yield network


def _followups(settings: Settings, store: Store, clock: Clock, networks: Mapping[str, TelescopeNetwork]) -> FollowupService:
    section = settings.followup
    wait_s = settings.registers.wait_s if settings.registers.enabled else 0.0
    chosen = FollowupSettings(enabled=section.enabled, dry_run=section.dry_run, wait_for_registers_s=wait_s)
    return FollowupService(store, networks, clock, chosen, policy_book(settings))


def _own_pointings(policy: Policy, networks: Mapping[str, TelescopeNetwork]) -> OwnPointings:
    return OwnPointings(policy=policy, simulated=frozenset(name for name, one in networks.items() if one.is_simulated))


def _consequences(
    settings: Settings, networks: Mapping[str, TelescopeNetwork], routes: Sequence[Route], own: OwnPointings
) -> tuple[Consequence, ...]:
    announce = AnnouncementSettings(authority=settings.hub.authority, enabled=settings.announce.enabled)
    channel = next(iter(settings.escalation.channels), "")
    return (
        own.keep,
        PlanAnnouncements(settings=announce, routes=routes, own=own).keep,
        NoCancel(networks=networks, authority=settings.hub.authority, channel=channel).keep,
    )


def _register_reports(  # noqa: PLR0917 - the parts of a service
    settings: Settings,
    store: Store,
    clock: Clock,
    networks: Mapping[str, TelescopeNetwork],
    own: OwnPointings,
    policy: Policy,
) -> RegisterReports | None:
    found = reporters_of(networks)
    if not settings.registers.enabled or not found:
        return None
    return RegisterReports(store, found, clock, own, policy.live)


def _registers(
    settings: Settings, store: Store, clock: Clock, networks: Mapping[str, TelescopeNetwork], low: LowSignificance
) -> Registers | None:
    section, found = settings.registers, registers_of(networks)
    if not section.enabled or not found:
        return None
    pace = RegisterSettings(fetch_s=section.fetch_s, days=section.days)
    return Registers(store, found, clock, pace, low)


def escalation_for(settings: Settings, store: Store, *, clock: Clock | None = None) -> Escalation:
    """Return what tells one channel after the other of what nobody acknowledges; raises `ConfigError` as `check_channels`."""
    check_channels(settings)
    section = settings.escalation
    chosen = EscalationSettings(channels=section.channels, after_s=section.after_min * 60.0, authority=settings.hub.authority)
    return Escalation(store, clock or now, chosen)


def check_channels(settings: Settings) -> None:
    """Check that what nobody acknowledges can be told to people.

    Raises
    ------
    ConfigError
        A channel is no destination that is enabled, or one that is written to in another format than text.
    """
    there = enabled_destinations(settings)
    for name in settings.escalation.channels:
        if name not in there:
            raise ConfigError(f"escalation.channels: there is no destination {name!r} that is enabled")
        if there[name].format != "text":
            raise ConfigError(f'escalation.channels: {name} is not for people: set format = "text" in [destinations.{name}]')


def check_policy(settings: Settings, policy: Policy) -> list[str]:
    """Return what of a policy the networks of the settings cannot do, in sentences; nobody is asked, and nothing is kept."""
    with TemporaryDirectory() as folder:
        networks = {
            name: one.model_copy(update={"ledger": f"{folder}/{name}.sqlite"}) if one.kind == SIMULATED else one
            for name, one in settings.networks.items()
        }
        with open_networks(settings.model_copy(update={"networks": networks})) as opened:
            return policy_check.faults(policy, opened, now())


def policy_book(settings: Settings) -> PolicyBook:
    """Return the follow-up policy with the tables that its facts follow from.

    Raises
    ------
    ConfigError
        The file cannot be read, or is wrong.
    """
    if not settings.followup.policy:
        return shipped()
    file = Path(settings.followup.policy)
    try:
        return book_of(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"followup.policy: cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"followup.policy: {file} is no text in UTF-8") from error


@contextmanager
def create_database(settings: Settings) -> Iterator[Store]:
    """Give the state database, made or brought up to date where needed.

    Raises
    ------
    ConfigError, StorageError
        It cannot be made or reached.
    """
    make_data_dir(settings)
    try:
        upgrade_database(settings)
    except DatabaseError as error:
        raise StorageError(f"the state database cannot be used: {error.orig}") from error
    with open_database(settings) as store:
        yield store


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


def cautions(settings: Settings) -> list[str]:
    """Return what is allowed and will be regretted, one sentence each."""
    own = settings.hub.authority
    parts = {
        **{f"sources.{name}": one for name, one in enabled_sources(settings).items()},
        **{f"destinations.{name}": one for name, one in enabled_destinations(settings).items()},
    }
    on_a_network = [name for name, one in parts.items() if one.kind != "folder"]
    if own.lower() != HubSection().authority or not on_a_network:
        return []
    sentence = (
        f"hub.authority is still {own}, as in every hub that was never told its own, and hubs of one authority refuse"
        f" each other's events: set yours before {on_a_network[0]} meets another hub"
    )
    return [sentence]


def check_parts(settings: Settings) -> None:
    """Check the options of every source, destination and telescope network without opening any.

    Raises
    ------
    ConfigError
        A kind or an option of one is wrong, or a stream map, or two streams must not be heard together.
    """
    for name, source in settings.sources.items():
        catalogue.source_options(source.kind, f"sources.{name}", source.options)
        if source.echo_of and source.echo_of not in settings.destinations:
            raise ConfigError(f"sources.{name}.echo_of: there is no destination {source.echo_of!r}")
    for name, sink in settings.destinations.items():
        catalogue.sink_options(sink.kind, f"destinations.{name}", sink.options)
        if Subject.PLAN in sink.subjects and not isinstance(RENDERERS[sink.format](), PlanRenderer):
            able = ", ".join(word for word, make in RENDERERS.items() if isinstance(make(), PlanRenderer))
            raise ConfigError(
                f'destinations.{name}: "plan" among its subjects needs one of the formats {able}, not {sink.format}'
            )
    for name, network in settings.networks.items():
        catalogue.network_options(network.kind, f"networks.{name}", network.options)
    check_channels(settings)
    coverage.check(alert_streams(settings))
    ranking_for(settings)


def ranking_for(settings: Settings) -> Ranking:
    """Return the terms that the rank of a candidate is the sum of.

    Raises
    ------
    ConfigError
        The settings name a term or a plug-in that there is not.
    """
    return ranking_from(settings.ranking.weights, settings.ranking.use)


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
    context = _trial_context(settings, name)
    return catalogue.listen(section.kind, options, context, topics, since_s=since_s, until_eos=until_eos)


def check_source(settings: Settings, name: str) -> list[str]:
    """Try the connection of a source once and return what is wrong, in sentences; none where all is well or nothing can be tried.

    Raises
    ------
    ConfigError
        An option is missing or wrong.
    """
    section = settings.sources[name]
    options = catalogue.source_options(section.kind, f"sources.{name}", section.options)
    return catalogue.check(catalogue.sources()[section.kind], options, _trial_context(settings, name))


def check_sink(settings: Settings, name: str) -> list[str]:
    """Try the connection of a destination once; as `check_source`."""
    section = settings.destinations[name]
    options = catalogue.sink_options(section.kind, f"destinations.{name}", section.options)
    return catalogue.check(catalogue.sinks()[section.kind], options, _trial_context(settings, name))


def check_network(settings: Settings, name: str) -> list[str]:
    """Ask a telescope network once whether it knows the account and what the settings name; as `check_source`."""
    section = settings.networks[name]
    options = catalogue.network_options(section.kind, f"networks.{name}", section.options)
    return catalogue.check(catalogue.networks()[section.kind], options, _trial_context(settings, name))


def check_fetching(settings: Settings) -> list[str]:
    """Try each host that maps may be fetched from, and return what is wrong, in sentences; families (``*.x``) cannot be tried."""
    section = settings.fetch
    if not section.hosts:
        return [_NO_HOSTS]
    client = HttpClient(HttpOptions(hosts=section.hosts, total_s=TRIAL_S))
    return [said for host in section.hosts if not host.startswith("*") for said in _unreachable(client, f"https://{host}/")]


def check_registry(settings: Settings) -> list[str]:
    """Try the schema registry that the settings name, and return what is wrong, in sentences."""
    return _unreachable(_registry_client(settings.intake.schema_registry), settings.intake.schema_registry)


def _unreachable(client: HttpClient, url: str) -> list[str]:
    try:
        client.reach(url)
    except Transient as error:
        return [f"{error}: are the name, the port and the firewall right?"]
    except Permanent as error:
        return [f"{error}: name a server on the internet that speaks https"]
    return []


def _trial_context(settings: Settings, name: str) -> PartContext:
    return PartContext(
        name=name, authority=settings.hub.authority, data_dir=settings.hub.data_dir, clock=now, report=lambda _: None
    )


def open_sink(settings: Settings, store: Store, name: str, *, clock: Clock | None = None) -> AbstractContextManager[Sink]:
    """Return the destination of a name, closed when the context ends; errors as `open_source`."""
    section = settings.destinations[name]
    options = catalogue.sink_options(section.kind, f"destinations.{name}", section.options)
    return catalogue.open_sink(section.kind, options, _context(settings, store, name, clock))


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


def now() -> Instant:
    """Return the present moment by this machine's clock."""
    return Instant.from_datetime(datetime.now(UTC))
