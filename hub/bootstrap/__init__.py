"""The composition root: settings to opened parts. Only this package knows who plugs into what."""

from hub.bootstrap.checks import cautions, check_fetching, check_parts, check_registry
from hub.bootstrap.clock import now
from hub.bootstrap.database import DEMO_MARK, create_database, make_data_dir, open_database, open_history, upgrade_database
from hub.bootstrap.followup import (
    check_channels,
    check_policy,
    escalation_for,
    open_followups,
    open_networks,
    open_register,
    policy_book,
)
from hub.bootstrap.parts import (
    PartKind,
    check_network,
    check_shared,
    check_sink,
    check_source,
    enabled_destinations,
    enabled_networks,
    enabled_sources,
    listen_to,
    open_sink,
    open_source,
    part_kinds,
)
from hub.bootstrap.routes import RENDERERS, declare_private, routes_of
from hub.bootstrap.sky_maps import open_skymap_reader
from hub.bootstrap.streams import (
    alert_streams,
    load_kernels,
    open_decoder,
    stream_maps,
)
from hub.bootstrap.whole import Hub, open_hub, ranking_for

__all__ = [
    "DEMO_MARK",
    "RENDERERS",
    "Hub",
    "PartKind",
    "alert_streams",
    "cautions",
    "check_channels",
    "check_fetching",
    "check_network",
    "check_parts",
    "check_policy",
    "check_registry",
    "check_shared",
    "check_sink",
    "check_source",
    "create_database",
    "declare_private",
    "enabled_destinations",
    "enabled_networks",
    "enabled_sources",
    "escalation_for",
    "listen_to",
    "load_kernels",
    "make_data_dir",
    "now",
    "open_database",
    "open_decoder",
    "open_followups",
    "open_history",
    "open_hub",
    "open_networks",
    "open_register",
    "open_sink",
    "open_skymap_reader",
    "open_source",
    "part_kinds",
    "policy_book",
    "ranking_for",
    "routes_of",
    "stream_maps",
    "upgrade_database",
]
