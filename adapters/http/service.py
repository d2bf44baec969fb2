"""One web service of somebody else's that the settings name: its address, who may be asked, and the client for it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from adapters.http.client import HttpClient, HttpOptions
from hub.errors import ConfigError, Permanent

SPARE_S = 30.0
"""So much longer than the longest silence may a whole answer take, seconds."""


class ServiceOptions(BaseModel):
    """How a web service is asked; those of each kind add to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    hosts: tuple[str, ...] = Field(min_length=1, description="Hosts that may be asked; that of the address must be among them")
    ca_file: str = Field("", description="Certificates (PEM) to trust instead of the system's")
    allow_loopback: bool = Field(False, description="Also speak plain http to this machine; for trials")
    answer_s: float = Field(60.0, gt=0, le=290, description="Longest silence of the service, seconds")


def open_client(
    options: ServiceOptions, url: str, where: str, folder: Path, *, max_bytes: int, spare_s: float = SPARE_S
) -> HttpClient:
    """Return a client for a service; nobody is asked.

    Parameters
    ----------
    options
        How it is asked.
    url
        Where it is.
    where
        Table of the settings that names it.
    folder
        The data folder, from which ``ca_file`` is taken.
    max_bytes
        Longest answer.
    spare_s
        So much longer than ``answer_s`` may the whole take, seconds.

    Raises
    ------
    ConfigError
        The address is not one that may be asked, or the certificates cannot be used.
    """
    client = HttpClient(
        HttpOptions(
            hosts=options.hosts,
            ca_file=folder / options.ca_file if options.ca_file else None,
            allow_loopback=options.allow_loopback,
            max_bytes=max_bytes,
            connect_s=min(options.answer_s, 10.0),
            read_s=options.answer_s,
            total_s=options.answer_s + spare_s,
        )
    )
    try:
        client.demand_allowed(url)
    except Permanent as error:
        raise ConfigError(f"{where}.url: {error}") from error
    return client
