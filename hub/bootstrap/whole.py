"""The whole flow, of opened parts."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from hub.archive.history import ArchiveHistory
from hub.bootstrap.clock import now
from hub.bootstrap.database import open_history
from hub.bootstrap.followup import consequences_of, followups_of, open_networks, own_pointings, register_reports, registers
from hub.bootstrap.parts import enabled_destinations, open_sink
from hub.bootstrap.routes import declare_private, echo_of, routes_of
from hub.bootstrap.sky_maps import map_fetching, open_skymap_reader
from hub.bootstrap.streams import listening_of, open_decoder, schemas_of
from hub.config import Settings
from hub.model.outgoing import Leaves
from hub.ports import Clock, Sink, SkymapReader
from hub.resources import read_text
from hub.science.class_rules import load_class_rules
from hub.science.host_rules import load_host_rules
from hub.science.localization_table import load_localization_table
from hub.science.ranking import Ranking
from hub.science.rules import load_rules
from hub.services.announcement import Announcements, AnnouncementSettings
from hub.services.cache_limits import CACHES
from hub.services.consequences import Consequences
from hub.services.correlation import Correlation
from hub.services.current_catalogs import CatalogWatch, CurrentHosting
from hub.services.dispatch import Dispatch
from hub.services.flow import Flow
from hub.services.followup import FollowupService
from hub.services.held import HeldAlerts
from hub.services.intake import Intake, IntakeSettings
from hub.services.judging import FactSource
from hub.services.known_facts import KnownFacts
from hub.services.last_visits import SureVisits
from hub.services.map_fetch import MapFetching, MapWishes
from hub.services.maps import MapCache
from hub.services.ranking_plugins import ranking_from
from hub.services.register_reports import RegisterReports
from hub.services.registers import Registers
from hub.services.relay import Relay
from hub.storage.engine import Store


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
    schemas = schemas_of(settings)
    listening = listening_of(settings, store, tells)
    with ExitStack() as stack:
        reader = skymaps if skymaps is not None else stack.enter_context(open_skymap_reader(settings))
        networks = stack.enter_context(open_networks(settings, clock=tells, seed=seed))
        followups = followups_of(settings, store, tells, networks)
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
            settings=IntakeSettings(authority=settings.hub.authority, echo_of=echo_of(settings)),
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
        own = own_pointings(followups.policy, networks)
        flow = Flow(
            intake=intake,
            correlation=correlation,
            dispatch=dispatch,
            followups=followups,
            consequences=Consequences(store, tells, consequences_of(settings, networks, routes, own)),
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
            map_fetching=map_fetching(settings, store, reader, tells) if settings.fetch.enabled else None,
            registers=registers(settings, store, tells, networks, rules.low_significance),
            register_reports=register_reports(settings, store, tells, networks, own, followups.policy),
        )


def _facts(settings: Settings, maps: MapCache) -> FactSource:
    """Return what knows more of objects than their alerts say."""
    rules = load_host_rules(read_text("conf/hosts.toml"))
    return KnownFacts(
        hosting=CurrentHosting(settings.catalogs_folder, settings.catalogs.use, rules, maps),
        classes=load_class_rules(read_text("conf/classes.toml")),
    )


def ranking_for(settings: Settings) -> Ranking:
    """Return the terms that the rank of a candidate is the sum of.

    Raises
    ------
    ConfigError
        The settings name a term or a plug-in that there is not.
    """
    return ranking_from(settings.ranking.weights, settings.ranking.use)
