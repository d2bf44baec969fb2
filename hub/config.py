"""Settings: defaults, then TOML files, then the environment; read once, by the command line, and handed down by section.

An unknown key or ``MMHUB_SECTION__KEY`` variable is refused by name, so that a slip of the pen never goes unnoticed.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
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

    inbox: str = ""
    """Folder watched by ``mmhub run``; empty for none."""

    poll_s: float = Field(2.0, gt=0, le=3600)
    """Pause between two looks into the inbox, seconds."""


class GcnSection(Section):
    """NASA GCN over Kafka; nothing is listened to while no topic is named."""

    topics: tuple[str, ...] = ()
    """Topics, e.g. ``igwn.gwalert``."""

    group_id: str = ""
    """Consumer group: keeps the place in the stream over restarts; needed."""

    domain: Literal["gcn.nasa.gov", "test.gcn.nasa.gov", "dev.gcn.nasa.gov"] = "gcn.nasa.gov"
    """Which GCN."""

    client_id: str = ""
    """From the quick start of GCN."""

    client_secret: SecretStr = SecretStr("")
    """From the quick start of GCN; in the environment only."""

    bootstrap_servers: str = ""
    """Another broker on this machine, spoken to without encryption and never trusted; for trials."""


class ApiSection(Section):
    """The HTTP API."""

    host: str = "127.0.0.1"
    """Address to listen at."""

    port: int = Field(8765, ge=0, le=65535)
    """TCP port; 0 takes a free one."""


class AnnounceSection(Section):
    """What leaves as VOEvents."""

    enabled: bool = True
    """Write a VOEvent for each version of a coincidence."""

    folder: Path = Path("voevents")
    """Sink; a relative one lies in the data folder."""


class FollowupSection(Section):
    """Requests to telescopes."""

    enabled: bool = True
    """Make requests for open coincidences."""

    network: Literal["simulated"] = "simulated"
    """Name of the telescope network."""

    dry_run: bool = False
    """Only record what would be asked."""


class SkymapSection(Section):
    """Limits of the child process that reads sky maps."""

    timeout_s: float = Field(60.0, gt=0, le=3600)
    """Longest time for one map, seconds."""

    maps_per_child: int = Field(200, ge=1)
    """Maps that one child reads before it is replaced."""


class LoggingSection(Section):
    """Log lines, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lines below it are dropped."""

    format: Literal["text", "json"] = "text"
    """For people or for machines."""


class Settings(BaseSettings):
    """All sections."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__")

    hub: HubSection = HubSection()
    storage: StorageSection = StorageSection()
    intake: IntakeSection = IntakeSection()
    gcn: GcnSection = GcnSection()
    api: ApiSection = ApiSection()
    announce: AnnounceSection = AnnounceSection()
    followup: FollowupSection = FollowupSection()
    skymap: SkymapSection = SkymapSection()
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
    def announce_folder(self) -> Path:
        """Folder that VOEvents are written to."""
        return self.hub.data_dir / self.announce.folder


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
        return [
            (f"{section}.{key}", _shown(value), self._origins.get(f"{section}.{key}", "built-in default"))
            for section, table in values.items()
            for key, value in table.items()
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
    layers += [_environment(), {key: (value, "command line") for key, value in (overrides or {}).items()}]
    merged: dict[str, tuple[Any, str]] = {}
    for layer in layers:
        merged |= layer
    origins = {key: origin for key, (_, origin) in merged.items()}
    return Loaded(_validated({key: value for key, (value, _) in merged.items()}, origins), origins)


_Layer = dict[str, tuple[Any, str]]
"""``section.key`` to value and origin."""


def _read(path: Path) -> _Layer:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings file {path}: {_sentence(error)}") from error
    layer = _parse(text, str(path))
    for key, (value, _) in layer.items():
        if isinstance(value, str) and (redacted_url(value) != value or (value and key.endswith("secret"))):
            variable = ENV_PREFIX + key.upper().replace(".", "__")
            raise ConfigError(f"{key} in {path} holds a password, which belongs into the environment: set {variable} instead")
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
            layer[f"{section}.{key}"] = (value, name)
    return layer


def _environment() -> _Layer:
    known = {
        f"{ENV_PREFIX}{section}__{key}".upper(): f"{section}.{key}"
        for section, model in Settings.model_fields.items()
        if isinstance(model.annotation, type) and issubclass(model.annotation, BaseModel)
        for key in model.annotation.model_fields
    }
    names = {name.upper(): name for name in os.environ if name.upper().startswith(ENV_PREFIX) and "__" in name}
    for upper, name in names.items():
        if upper not in known:
            raise ConfigError(f"the environment variable {name} is no setting: there is no key {_as_key(upper)}")
    try:
        tables = EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise ConfigError(f"an environment variable cannot be read: {_sentence(error)}") from error
    return {
        known[upper]: (tables[section][key], f"environment {name}")
        for upper, name in names.items()
        for section, _, key in [known[upper].partition(".")]
    }


def _validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    tables: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        tables.setdefault(section, {})[key] = value
    try:
        return Settings(**tables)  # type: ignore[arg-type]  # validation is what this call is for
    except ValidationError as error:
        raise ConfigError("; ".join(_complaint(detail, origins) for detail in error.errors())) from error


def _complaint(detail: Any, origins: Mapping[str, str]) -> str:
    key = ".".join(str(part) for part in detail["loc"][:2])
    place = f" ({origins[key]})" if key in origins else ""
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
