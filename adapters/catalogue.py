"""Every kind of source, destination and telescope network, by the name that the settings call it.

A kind is a module with ``KIND``, a pydantic model ``Options`` and an opener; ``check``, where there is one, tries the connection
and says in sentences what to fix. Kinds of other packages are found by the entry-point groups `SOURCE_GROUP`, `SINK_GROUP` and
`NETWORK_GROUP`, each entry naming such a module.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from confluent_kafka import Consumer
from gcn_kafka import Consumer as GcnConsumer
from pydantic import BaseModel, ValidationError

from adapters.contained import contained, is_schema
from adapters.networks import ocs, rubin, simulated, swift, treasure_map
from adapters.transports import chat, folder, folder_source, gcn_kafka, tns, webhook
from adapters.transports.kafka import consumer, hop, listening, producer
from adapters.transports.kafka.listening import Heard
from adapters.transports.kafka.options import PATIENCE, KafkaOptions, connection, trust_of
from adapters.transports.kafka.topics import topic_names
from adapters.transports.vtp import broadcaster, receiver, subscriber
from hub.errors import ConfigError
from hub.model.envelope import Trust
from hub.ports import MessageSource, PartContext, PushSource, Sink, TelescopeNetwork

SOURCE_GROUP = "multimessenger_hub.sources"
"""Entry points of other packages' sources."""

SINK_GROUP = "multimessenger_hub.destinations"
"""Entry points of other packages' destinations."""

NETWORK_GROUP = "multimessenger_hub.networks"
"""Entry points of other packages' telescope networks."""

_SOURCES: tuple[Any, ...] = (folder_source, gcn_kafka, consumer, subscriber, receiver, tns)
_SINKS: tuple[Any, ...] = (folder, broadcaster, producer, hop, webhook, chat)
_NETWORKS: tuple[Any, ...] = (simulated, ocs, swift, treasure_map, rubin)


def sources() -> dict[str, Any]:
    """Return the module of each kind of source."""
    return _kinds(_SOURCES, SOURCE_GROUP)


def sinks() -> dict[str, Any]:
    """Return the module of each kind of destination."""
    return _kinds(_SINKS, SINK_GROUP)


def networks() -> dict[str, Any]:
    """Return the module of each kind of telescope network."""
    return _kinds(_NETWORKS, NETWORK_GROUP)


def source_options(kind: str, context: str, values: Mapping[str, Any]) -> BaseModel:
    """Return the checked options of a source.

    Parameters
    ----------
    kind
        Its kind.
    context
        Where they stand in the settings, e.g. ``sources.gcn``; errors name it.
    values
        The keys.

    Raises
    ------
    ConfigError
        There is no such kind, or a key is missing, unknown or out of range.
    """
    return _options(sources(), kind, context, values)


def sink_options(kind: str, context: str, values: Mapping[str, Any]) -> BaseModel:
    """Return the checked options of a destination; as `source_options`."""
    return _options(sinks(), kind, context, values)


def network_options(kind: str, context: str, values: Mapping[str, Any]) -> BaseModel:
    """Return the checked options of a telescope network; as `source_options`."""
    return _options(networks(), kind, context, values)


def open_source(kind: str, options: BaseModel, context: PartContext) -> AbstractContextManager[MessageSource | PushSource]:
    """Return a source, closed when the context ends."""
    opened: AbstractContextManager[MessageSource | PushSource] = sources()[kind].open_source(options, context)
    return opened


def open_sink(kind: str, options: BaseModel, context: PartContext) -> AbstractContextManager[Sink]:
    """Return a destination, closed when the context ends."""
    opened: AbstractContextManager[Sink] = sinks()[kind].open_sink(options, context)
    return opened


def open_network(kind: str, options: BaseModel, context: PartContext) -> AbstractContextManager[TelescopeNetwork]:
    """Return a telescope network, closed when the context ends."""
    opened: AbstractContextManager[TelescopeNetwork] = networks()[kind].open_network(options, context)
    return opened


def _kinds(built_in: tuple[Any, ...], group: str) -> dict[str, Any]:
    found = {module.KIND: module for module in built_in}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, entry.load())
    return found


def _options(kinds: Mapping[str, Any], kind: str, context: str, values: Mapping[str, Any]) -> BaseModel:
    module = kinds.get(kind)
    if module is None:
        raise ConfigError(f"{context}.kind: there is no kind {kind!r}; there are {', '.join(sorted(kinds))}")
    try:
        options: BaseModel = module.Options.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError("; ".join(_complaint(detail, context) for detail in error.errors())) from error
    return options


def _complaint(detail: Any, context: str) -> str:
    key = ".".join([context, *(str(part) for part in detail["loc"])])
    if detail["type"] == "extra_forbidden":
        return f"{key} is no option of this kind"
    if detail["type"] == "missing":
        return f"{key} is missing"
    said = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ").partition(", unable to parse")[0]
    return f"{key} should be {said}" if detail["msg"].startswith("Input should be ") else f"{key}: {said}"


def check(module: Any, options: BaseModel, context: PartContext) -> list[str]:
    """Try the connection of a part once and return what is wrong, in sentences; none where its kind has nothing to try."""
    tries = getattr(module, "check", None)
    return [] if tries is None else list(tries(options, context))


def listen(
    kind: str, options: BaseModel, context: PartContext, topics: Sequence[str], *, since_s: float | None, until_eos: bool
) -> Iterator[Heard | None]:
    """Yield what lies in or comes to topics; see `adapters.transports.kafka.listening.listen`.

    Raises
    ------
    ConfigError
        The kind of source has no topics.
    """
    where = f"sources.{context.name}"
    if isinstance(options, gcn_kafka.Options):
        settings = PATIENCE | gcn_kafka._connection(options, where, context)  # noqa: SLF001 - a friend
        make: Any = GcnConsumer
    elif isinstance(options, KafkaOptions):
        settings, make = connection(options, where, context.data_dir), Consumer
    else:
        raise ConfigError(f"{where} is of the kind {kind}, which has no topics to listen to")
    names = topic_names(topics, "listen")
    trust = gcn_kafka.trust_of(options) if isinstance(options, gcn_kafka.Options) else trust_of(options)
    stream = options.stream or None
    return (
        None if heard is None else _as_taken(heard, stream, trust)
        for heard in listening.listen(make, settings, names, since_s=since_s, until_eos=until_eos)
    )


def _as_taken(heard: Heard, stream: str | None, trust: Trust) -> Heard:
    """Return a message with what the source would add to it, and its payload as the source would hand it on."""
    payload = heard.payload
    if stream is not None and heard.key is not None and not heard.is_tombstone and is_schema(heard.key):
        payload = contained(heard.key, payload)
    return replace(heard, payload=payload, alert_stream=stream, trust=trust)
