"""What `mmhub config check` finds wrong with the settings."""

from adapters import catalogue
from adapters.http import HttpClient, HttpOptions
from hub.bootstrap.followup import check_channels
from hub.bootstrap.parts import enabled_destinations, enabled_sources
from hub.bootstrap.routes import RENDERERS
from hub.bootstrap.sky_maps import NO_HOSTS
from hub.bootstrap.streams import alert_streams, registry_client
from hub.bootstrap.whole import ranking_for
from hub.config import HubSection, Settings
from hub.errors import ConfigError, Permanent, Transient
from hub.model.outgoing import Subject
from hub.ports import PlanRenderer
from hub.services import coverage

TRIAL_S = 10.0
"""Longest time to try one server, seconds."""


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


def check_fetching(settings: Settings) -> list[str]:
    """Try each host that maps may be fetched from, and return what is wrong, in sentences; families (``*.x``) cannot be tried."""
    section = settings.fetch
    if not section.hosts:
        return [NO_HOSTS]
    client = HttpClient(HttpOptions(hosts=section.hosts, total_s=TRIAL_S))
    return [said for host in section.hosts if not host.startswith("*") for said in _unreachable(client, f"https://{host}/")]


def check_registry(settings: Settings) -> list[str]:
    """Try the schema registry that the settings name, and return what is wrong, in sentences."""
    return _unreachable(registry_client(settings.intake.schema_registry), settings.intake.schema_registry)


def _unreachable(client: HttpClient, url: str) -> list[str]:
    try:
        client.reach(url)
    except Transient as error:
        return [f"{error}: are the name, the port and the firewall right?"]
    except Permanent as error:
        return [f"{error}: name a server on the internet that speaks https"]
    return []
