"""Settings: defaults, then TOML files, then the environment; read once, by the command line, and handed down by section.

An unknown key or ``MMHUB_SECTION__KEY`` variable is refused by name, so that a slip of the pen never goes unnoticed.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from hub import resources
from hub.errors import ConfigError
from hub.text import redacted_url

DEFAULT_FILE = "conf/default.toml"
"""The shipped file with every key."""

LOCAL_FILE = Path("mmhub.toml")
"""Read from the working folder where no file is named."""

ENV_PREFIX = "MMHUB_"
"""Beginning of the environment variables that are settings; the section follows, two underscores, the key."""


class Section(BaseModel):
    """One table of the settings: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class HubSection(Section):
    """Who this hub is and where it keeps its things."""

    authority: str = Field("example.org/mmhub", pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{2,}(/[A-Za-z0-9._~-]+)*$")
    """IVOA authority (IVOA Identifiers 2.0, section 2.3.1) and path under which VOEvents are published."""

    data_dir: Path = Path("mmhub-data")
    """Folder of database, alert history and outgoing files."""


class StorageSection(Section):
    """The state database."""

    url: str = ""
    """SQLAlchemy URL; empty for SQLite in the data folder."""


class IntakeSection(Section):
    """How messages are taken in."""

    max_message_bytes: int = Field(256 * 2**20, ge=1024, le=2**31)
    """Larger messages are refused unread, bytes."""

    alert_batch: int = Field(1000, ge=1, le=100_000)
    """Alerts stored and matched together."""

    alert_batch_mb: float = Field(48.0, gt=0, le=1024)
    """Most that they hold together as they came, megabytes."""

    alert_max_lag_s: float = Field(600.0, gt=0)
    """With alerts older than this, seconds, only their rows are kept: neither the packets of matches nor what brokers say."""

    streams_dir: str = ""
    """Folder of stream maps of one's own; empty for none."""

    schema_registry: str = ""
    """URL of a Confluent schema registry; empty for none."""


class ArchiveSection(Section):
    """The history of every alert's slim row."""

    folder: str = ""
    """Where it lies; empty for ``archive`` in the data folder. Workers on several machines need one that they share."""

    keep_days: float = Field(400.0, ge=250.0)
    """Nights older than this are deleted, days; the longest hypothesis looks back 250 days."""

    max_gb: float = Field(0.0, ge=0)
    """Largest size, gigabytes: beyond it the oldest nights are deleted; 0 for no limit."""

    min_free_mb: float = Field(1024.0, ge=0)
    """With less free space than this on its disk, megabytes, no alert is taken in."""


def _header_name(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{1,60}", text):
        raise ValueError("the name of a header such as X-Remote-User")
    if text.lower() in ("authorization", "cookie", "host", "forwarded", "x-csrf-token") or text.lower().startswith(
        "x-forwarded-"
    ):
        raise ValueError("a header of its own, which nobody sends for another reason")
    return text


def _addresses(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("an address or a range such as 192.0.2.0/28") from None
    return text


class ApiSection(Section):
    """The HTTP API."""

    host: str = "127.0.0.1"
    """Address to listen at."""

    port: int = Field(8765, ge=0, le=65535)
    """TCP port; 0 takes a free one."""

    anonymous_read: bool = True
    """Whether anyone may read without a token."""

    proxy_header: Annotated[str, AfterValidator(_header_name)] = ""
    """Header in which a trusted proxy states the subject of a person; empty for none."""

    proxy_addresses: tuple[Annotated[str, AfterValidator(_addresses)], ...] = ()
    """Addresses that the proxy connects from; from all others the header is refused."""

    notices_per_minute: int = Field(120, ge=1, le=100_000)
    """Notices that one token may hand in."""


def _host_name(text: str) -> str:
    if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_.-]+", text):
        raise ValueError("a host name such as gracedb.ligo.org, without scheme, port or path")
    return text


def _issuer(text: str) -> str:
    if text and (not re.fullmatch(r"https?://[!-{}~]+", text) or "?" in text or "#" in text):
        raise ValueError("the address of an OpenID provider, such as https://login.example.org/realms/observatory")
    return text


class OidcSection(Section):
    """The OpenID Connect provider by which persons sign in."""

    issuer: Annotated[str, AfterValidator(_issuer)] = ""
    """Its address, to the letter as its ID tokens state it; empty for none."""

    client_id: str = ""
    """What it calls the hub."""

    client_secret: SecretStr = SecretStr("")
    """By which it knows the hub."""

    client_secret_file: str = ""
    """File that holds the secret, in the data folder where it is no absolute path."""

    redirect_uri: str = ""
    """``https://HOST/api/v1/session/oidc/callback``: where browsers come back to, registered with the provider."""

    landing: Annotated[str, StringConstraints(pattern=r"^/([^/\\].*)?$")] = "/api/v1/session"
    """Path on the hub's host that a browser is sent to once its person has signed in."""

    hosts: tuple[Annotated[str, AfterValidator(_host_name)], ...] = ()
    """Further hosts of the provider, where not all of its addresses are at the issuer's."""

    ca_file: str = ""
    """Certificates (PEM) to trust instead of the system's."""

    allow_loopback: bool = False
    """Also speak plain http to this machine; for trials."""

    answer_s: float = Field(10.0, gt=0, le=60)
    """Longest silence of the provider, seconds."""


class AnnounceSection(Section):
    """What is announced."""

    enabled: bool = True
    """Whether anything is announced at all, to whichever destination."""


class FollowupSection(Section):
    """Requests to telescopes."""

    enabled: bool = True
    """Make requests for open coincidences."""

    policy: str = ""
    """File of the policy: who is asked for what; the one that the hub ships where it is empty."""

    dry_run: bool = False
    """Only record what would be asked."""


class RegistersSection(Section):
    """Registers of pointings among the networks, which are asked what others observe and plan."""

    enabled: bool = True
    """Whether they are asked by themselves."""

    fetch_s: float = Field(600.0, ge=1, le=86_400)
    """Between two questions to one register about one event, seconds."""

    days: float = Field(7.0, gt=0, le=30)
    """Events are asked about for so long after their time, days."""

    wait_s: float = Field(120.0, ge=0, le=3600)
    """So long a request waits for the first answer of a register of visits, seconds."""


class EscalationSection(Section):
    """Whom approvals and retractions go to that nobody acknowledges."""

    channels: tuple[str, ...] = ()
    """Destinations, in order; none switches it off."""

    after_min: float = Field(15.0, gt=0, le=1440)
    """From one to the next, minutes."""


class SkymapSection(Section):
    """Limits of the child process that reads sky maps."""

    timeout_s: float = Field(60.0, gt=0, le=3600)
    """Longest time for one map, seconds."""

    maps_per_child: int = Field(200, ge=1)
    """Maps that one child reads before it is replaced."""


class FetchSection(Section):
    """Sky maps that notices name by their URL."""

    enabled: bool = False
    """Whether they are fetched."""

    hosts: tuple[Annotated[str, AfterValidator(_host_name)], ...] = ()
    """Host names that may be asked; ``*.example.org`` allows every name below."""

    max_bytes: int = Field(64 * 2**20, ge=1024, le=2**31)
    """Longest file, bytes."""

    timeout_s: float = Field(120.0, gt=0, le=3600)
    """Longest time for one file, seconds."""

    give_up_h: float = Field(72.0, gt=0, le=8760)
    """A map that is not there after so long is given up, hours."""


class CatalogsSection(Section):
    """Catalogues of known sources."""

    folder: str = ""
    """Where they lie; empty for ``catalogs`` in the data folder."""

    use: tuple[str, ...] = ()
    """Names of those that are used; empty for all that are there."""


TermName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
"""Name of a term of the rank: small letters, digits, single underscores."""


class RankingSection(Section):
    """Which terms the rank of a candidate is the sum of."""

    weights: dict[TermName, Annotated[float, Field(ge=0, le=1000)]] = {}
    """Factors of terms in the sum; 1 where there is none, 0 leaves a term out of the sum."""

    use: dict[TermName, str] = {}
    """Name of a term to the plug-in that takes its place, or that is added under a new name."""


class LoggingSection(Section):
    """Log lines, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lines below it are dropped."""

    format: Literal["text", "json"] = "text"
    """For people or for machines."""


class PartSection(BaseModel):
    """A source, destination or network: what the hub itself must know of it; the rest are the options of its kind."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    kind: str
    """Which adapter: a name of `adapters.catalogue`."""

    enabled: bool = True
    """Whether it is opened."""

    group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,40}$")] = ""
    """Group that alone sees what a source brings or a network is asked for, or that a destination is of; empty for everyone."""

    @property
    def options(self) -> dict[str, Any]:
        """Keys that belong to the kind, not checked yet."""
        return dict(self.model_extra or {})

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, _HIDDEN if value and name and _is_secret(name) else value


class SourceSection(PartSection):
    """Where messages come from."""

    echo_of: str = ""
    """Destination whose messages come back here; empty for none."""


class DestinationSection(PartSection):
    """Where messages go to."""

    format: Literal["voevent", "hub-json", "hub-avro", "gcn-unified", "text"] = "voevent"
    """How announcements are written."""

    subjects: tuple[Literal["coincidence", "candidate", "retraction", "plan"], ...] = ("coincidence", "candidate", "retraction")
    """Which announcements go there."""

    relay: bool = False
    """Whether the VOEvents that come in go there too, byte for byte."""

    relay_roles: tuple[Literal["observation", "prediction", "utility", "test"], ...] = ("observation", "prediction", "utility")
    """Roles of the VOEvents that are relayed."""

    relay_untrusted: bool = False
    """Whether VOEvents that only untrusted sources brought are relayed as well."""

    echo_within_s: float | None = Field(None, gt=0, le=3600)
    """A message that has not come back after so long is an alarm, seconds; None where nobody listens."""


class NetworkSection(PartSection):
    """A telescope network."""

    live: bool = False
    """Whether it is asked in earnest; otherwise everything is tried out and nothing is requested."""


_VOEVENTS = {"kind": "folder", "path": "voevents"}

PartName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
"""Name of a source, destination or network: small letters, digits, single dashes."""

PARTS = ("sources", "destinations", "networks")
"""Sections that hold one table for each name."""


class Settings(BaseSettings):
    """All sections."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__")

    hub: HubSection = HubSection()
    storage: StorageSection = StorageSection()
    intake: IntakeSection = IntakeSection()
    archive: ArchiveSection = ArchiveSection()
    sources: dict[PartName, SourceSection] = {}
    destinations: dict[PartName, DestinationSection] = {"voevents": DestinationSection.model_validate(_VOEVENTS)}
    api: ApiSection = ApiSection()
    oidc: OidcSection = OidcSection()
    announce: AnnounceSection = AnnounceSection()
    followup: FollowupSection = FollowupSection()
    registers: RegistersSection = RegistersSection()
    networks: dict[PartName, NetworkSection] = {"simulated": NetworkSection(kind="simulated")}
    escalation: EscalationSection = EscalationSection()
    skymap: SkymapSection = SkymapSection()
    fetch: FetchSection = FetchSection()
    catalogs: CatalogsSection = CatalogsSection()
    ranking: RankingSection = RankingSection()
    logging: LoggingSection = LoggingSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load` merged and nothing else: it alone reads files and the environment, and knows what came from where."""
        return (init_settings,)

    @property
    def storage_url(self) -> str:
        """SQLAlchemy URL of the state database, the default filled in."""
        return self.storage.url or f"sqlite:///{self.hub.data_dir / 'hub.sqlite'}"

    @property
    def archive_folder(self) -> Path:
        """Folder of the archive, the default filled in."""
        return Path(self.archive.folder) if self.archive.folder else self.hub.data_dir / "archive"

    @property
    def catalogs_folder(self) -> Path:
        """Folder of the catalogues, the default filled in."""
        return Path(self.catalogs.folder) if self.catalogs.folder else self.hub.data_dir / "catalogs"

    @property
    def announce_folder(self) -> Path:
        """Folder that the destination ``voevents`` writes to."""
        return self.hub.data_dir / str(self.destinations["voevents"].options.get("path", "voevents"))


class Loaded:
    """Settings and where each value came from."""

    def __init__(self, settings: Settings, origins: Mapping[str, str]) -> None:
        self.settings = settings
        self._origins = dict(origins)

    def show_origin(self) -> list[tuple[str, Any, str]]:
        """Return (key, value, origin) of every setting in order; passwords inside URLs are hidden.

        The origin is a file name, ``environment MMHUB_SECTION__KEY``, ``command line`` or ``built-in default``.
        """
        values = self.settings.model_dump(mode="json")
        flat = {f"{section}.{key}": value for section, table in values.items() for key, value in table.items()}
        for part in [key for key in flat if key.startswith(tuple(f"{section}." for section in PARTS))]:
            flat |= {f"{part}.{key}": value for key, value in flat.pop(part).items()}
        return [
            (key, _HIDDEN if value and _is_secret(key) else _shown(value), self._origins.get(key, "built-in default"))
            for key, value in flat.items()
        ]


def load(files: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read the settings.

    Parameters
    ----------
    files
        TOML files, later ones win; where none is named, ``mmhub.toml`` of the working folder if there is one.
    overrides
        ``section.key`` to value, from the command line: wins over everything.

    Raises
    ------
    ConfigError
        A file is missing or no TOML, or a key is unknown or out of range; the sentence names it and where it stands.
    """
    layers = [_parse(resources.read_text(DEFAULT_FILE), DEFAULT_FILE)]
    layers += [_read(path) for path in (files or ([LOCAL_FILE] if LOCAL_FILE.is_file() else []))]
    layers += [_environment(_part_names(layers)), {key: (value, "command line") for key, value in (overrides or {}).items()}]
    merged: dict[str, tuple[Any, str]] = {}
    for layer in layers:
        merged |= layer
    origins = {key: origin for key, (_, origin) in merged.items()}
    return Loaded(_validated({key: value for key, (value, _) in merged.items()}, origins), origins)


_Layer = dict[str, tuple[Any, str]]
"""``section.key`` (``sources.name.key`` for parts) to value and origin."""

_HIDDEN = "**********"


def _is_secret(key: str) -> bool:
    return key.endswith(("secret", "password", "token"))


def _part_names(layers: Sequence[_Layer]) -> dict[str, str]:
    """Return what stands in an environment variable for each part: ``SOURCES__MY_GCN`` to ``sources.my-gcn``."""
    parts = {key.rpartition(".")[0] for layer in layers for key in layer if key.startswith(tuple(f"{name}." for name in PARTS))}
    return {part.upper().replace(".", "__").replace("-", "_"): part for part in parts}


def _read(path: Path) -> _Layer:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings file {path}: {_sentence(error)}") from error
    layer = _parse(text, str(path))
    for key, (value, _) in layer.items():
        if isinstance(value, str) and (redacted_url(value) != value or (value and _is_secret(key))):
            variable = ENV_PREFIX + key.upper().replace(".", "__").replace("-", "_")
            or_file = (
                f", or name a file that holds it in {key}_file" if key.startswith((*PARTS, "oidc.")) and _is_secret(key) else ""
            )
            raise ConfigError(
                f"{key} in {path} holds a password, which belongs into the environment: set {variable} instead{or_file}"
            )
    return layer


def _parse(text: str, name: str) -> _Layer:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not valid TOML: {error}") from error
    layer: _Layer = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{name}: the key {section} stands outside a section; the sections are {_sections()}")
        if section not in Settings.model_fields:
            raise ConfigError(f"{name}: there is no section [{section}]; the sections are {_sections()}")
        for key, value in table.items():
            if section not in PARTS:
                layer[f"{section}.{key}"] = (value, name)
            elif isinstance(value, dict):
                layer |= {f"{section}.{key}.{option}": (setting, name) for option, setting in value.items()}
            else:
                raise ConfigError(
                    f"{name}: [{section}] holds one table for each name: write [{section}.NAME] above the key {key}"
                )
    return layer


def _environment(parts: Mapping[str, str]) -> _Layer:
    known = {
        f"{ENV_PREFIX}{section}__{key}".upper(): f"{section}.{key}"
        for section, model in Settings.model_fields.items()
        if isinstance(model.annotation, type) and issubclass(model.annotation, BaseModel)
        for key in model.annotation.model_fields
    }
    names = {name.upper(): name for name in os.environ if name.upper().startswith(ENV_PREFIX) and "__" in name}
    layer: _Layer = {}
    for upper, name in list(names.items()):
        part, _, option = upper.removeprefix(ENV_PREFIX).rpartition("__")
        section, _, own_name = part.partition("__")
        if section.lower() in PARTS and own_name and option:
            key = parts.get(part) or f"{section.lower()}.{own_name.lower().replace('_', '-')}"
            layer[f"{key}.{option.lower()}"] = (_part_value(name), f"environment {name}")
            del names[upper]
        elif upper not in known:
            raise ConfigError(f"the environment variable {name} is no setting: there is no key {_as_key(upper)}")
    try:
        tables = EnvSettingsSource(Settings)() if names else {}
    except SettingsError as error:
        raise ConfigError(f"an environment variable cannot be read: {_sentence(error)}") from error
    return layer | {
        known[upper]: (tables[section][key], f"environment {name}")
        for upper, name in names.items()
        for section, _, key in [known[upper].partition(".")]
    }


def _part_value(variable: str) -> Any:
    """Return a list or table written as JSON, any other value as its text, which the options of the kind know how to read."""
    text = os.environ[variable]
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"the environment variable {variable} begins like a list in JSON but is none: {error}") from error


def _validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    tables: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        table = tables.setdefault(section, {})
        if section in PARTS:
            part, _, key = key.partition(".")
            table = table.setdefault(part, {})
        table[key] = value
    try:
        return Settings(**tables)  # type: ignore[arg-type]  # validation is what this call is for
    except ValidationError as error:
        raise ConfigError("; ".join(_complaint(detail, origins) for detail in error.errors())) from error


def _complaint(detail: Any, origins: Mapping[str, str]) -> str:
    loc = [str(part) for part in detail["loc"] if part != "[key]"]
    key = ".".join(loc[: 3 if loc[0] in PARTS else 2])
    place = f" ({origins[key]})" if key in origins else ""
    if detail["type"] == "missing":
        return f"{key} is missing: it says which adapter the part is"
    if detail["type"] == "extra_forbidden":
        return f"{key}{place} is no setting of the hub"
    said = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ").partition(", unable to parse")[0]
    return f"{key}{place} should be {said}, not {_shown(detail['input'])!r}"


def _sections() -> str:
    return ", ".join(f"[{name}]" for name in Settings.model_fields)


def _as_key(variable: str) -> str:
    return variable.removeprefix(ENV_PREFIX).lower().replace("__", ".", 1)


def _shown(value: Any) -> Any:
    return redacted_url(value) if isinstance(value, str) else value


def _sentence(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
