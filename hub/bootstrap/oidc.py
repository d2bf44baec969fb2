"""The OpenID provider that the settings name, opened: nobody is asked until somebody signs in."""

from pathlib import Path
from urllib.parse import urlsplit

from adapters.credentials import secret_of
from adapters.http import ServiceOptions, open_client
from adapters.oidc import MAX_BYTES, OidcClient, OidcProvider
from hub.config import OidcSection, Settings
from hub.errors import ConfigError, TransportError


def open_provider(settings: Settings) -> OidcProvider | None:
    """Return the OpenID provider by which persons may sign in; None where the settings name none.

    Raises
    ------
    ConfigError
        A key is missing or wrong, or the secret cannot be read; the sentence names the key.
    """
    oidc = settings.oidc
    if not oidc.issuer:
        if oidc.client_id or oidc.redirect_uri:
            raise ConfigError("oidc.issuer is missing: the address of the OpenID provider")
        return None
    _demand_complete(oidc)
    secret = secret_of(oidc.client_secret, oidc.client_secret_file, "oidc.client_secret_file", settings.hub.data_dir)
    if not secret:
        raise ConfigError("oidc.client_secret (in the environment) or oidc.client_secret_file is missing")
    options = ServiceOptions(
        hosts=(urlsplit(oidc.issuer).hostname or "", *oidc.hosts),
        ca_file=oidc.ca_file,
        allow_loopback=oidc.allow_loopback,
        answer_s=oidc.answer_s,
    )
    try:
        http = open_client(options, oidc.issuer, "oidc", Path(settings.hub.data_dir), max_bytes=MAX_BYTES, spare_s=0.0)
    except ConfigError as error:
        raise ConfigError(str(error).replace("oidc.url", "oidc.issuer", 1)) from error
    client = OidcClient(issuer=oidc.issuer, client_id=oidc.client_id, client_secret=secret, redirect_uri=oidc.redirect_uri)
    return OidcProvider(client, http)


def check_provider(settings: Settings) -> list[str]:
    """Ask the OpenID provider for its document, and return what is wrong, in sentences.

    Raises
    ------
    ConfigError
        As `open_provider`.
    """
    provider = open_provider(settings)
    assert provider is not None, "asked only where there is one"
    try:
        provider.check()
    except TransportError as error:
        return [str(error)]
    return []


def _demand_complete(oidc: OidcSection) -> None:
    if not oidc.client_id:
        raise ConfigError("oidc.client_id is missing: what the OpenID provider calls the hub")
    callback = urlsplit(oidc.redirect_uri)
    is_here = oidc.allow_loopback and callback.hostname in ("localhost", "127.0.0.1")
    if callback.path != CALLBACK or callback.query or callback.fragment or not (callback.scheme == "https" or is_here):
        raise ConfigError(f"oidc.redirect_uri should be https://HOST{CALLBACK}, with the host that browsers reach the hub at")


CALLBACK = "/api/v1/session/oidc/callback"
"""Path at which browsers come back; a test holds it together with `hub.api.oidc.CALLBACK`, which lies in a layer above."""
