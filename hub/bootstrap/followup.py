"""Follow-up: telescope networks, registers of pointings, the policy, and whom to tell."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters import catalogue
from hub.bootstrap.clock import now
from hub.bootstrap.database import open_database
from hub.bootstrap.parts import enabled_destinations, enabled_networks, trial_context
from hub.config import Settings
from hub.errors import ConfigError
from hub.ports import Clock, ReportsPointings, TelescopeNetwork
from hub.science.followup_policy import Policy
from hub.science.low_significance import LowSignificance
from hub.services import policy_check
from hub.services.announcement import AnnouncementSettings
from hub.services.consequences import Consequence
from hub.services.dry_network import ClosedNetwork, DryNetwork, registers_of, reporters_of
from hub.services.escalation import Escalation, EscalationSettings
from hub.services.followup import FollowupService
from hub.services.followup_facts import PolicyBook, book_of, shipped
from hub.services.followup_policy import FollowupSettings
from hub.services.no_cancel import NoCancel
from hub.services.own_pointings import OwnPointings
from hub.services.plan_announcement import PlanAnnouncements
from hub.services.register_reports import RegisterReports
from hub.services.registers import Registers, RegisterSettings
from hub.services.routes import Route
from hub.storage.engine import Store

SIMULATED = "simulated"
"""Kind of the network that has no telescopes."""


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
    context = replace(trial_context(settings, name), clock=clock, seed=seed)
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
        yield store, followups_of(settings, store, tells, networks)


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
    with catalogue.open_network(section.kind, options, trial_context(settings, name)) as network:
        if not isinstance(network, ReportsPointings):
            raise ConfigError(f"networks.{name} is of the kind {section.kind}, which does not tell where others point")
        yield network


def followups_of(settings: Settings, store: Store, clock: Clock, networks: Mapping[str, TelescopeNetwork]) -> FollowupService:
    """Return what decides about requests and sends them; raises `ConfigError` as `policy_book` does."""
    section = settings.followup
    wait_s = settings.registers.wait_s if settings.registers.enabled else 0.0
    chosen = FollowupSettings(enabled=section.enabled, dry_run=section.dry_run, wait_for_registers_s=wait_s)
    return FollowupService(store, networks, clock, chosen, policy_book(settings))


def own_pointings(policy: Policy, networks: Mapping[str, TelescopeNetwork]) -> OwnPointings:
    """Return what keeps the hub's own requests as pointings."""
    return OwnPointings(policy=policy, simulated=frozenset(name for name, one in networks.items() if one.is_simulated))


def consequences_of(
    settings: Settings, networks: Mapping[str, TelescopeNetwork], routes: Sequence[Route], own: OwnPointings
) -> tuple[Consequence, ...]:
    """Return what each change of a request has to be followed by, in this order."""
    announce = AnnouncementSettings(authority=settings.hub.authority, enabled=settings.announce.enabled)
    channel = next(iter(settings.escalation.channels), "")
    return (
        own.keep,
        PlanAnnouncements(settings=announce, routes=routes, own=own).keep,
        NoCancel(networks=networks, authority=settings.hub.authority, channel=channel).keep,
    )


def register_reports(  # noqa: PLR0917 - the parts of a service
    settings: Settings,
    store: Store,
    clock: Clock,
    networks: Mapping[str, TelescopeNetwork],
    own: OwnPointings,
    policy: Policy,
) -> RegisterReports | None:
    """Return what tells registers of the hub's own pointings; None where none is live, or the settings switch that off."""
    found = reporters_of(networks)
    if not settings.registers.enabled or not found:
        return None
    return RegisterReports(store, found, clock, own, policy.live)


def registers(
    settings: Settings, store: Store, clock: Clock, networks: Mapping[str, TelescopeNetwork], low: LowSignificance
) -> Registers | None:
    """Return what asks registers of pointings; None where there is none, or the settings switch that off."""
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
