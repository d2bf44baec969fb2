"""The OpenID provider of the settings: what is wrong with it is a sentence that names the key."""

import json
from pathlib import Path

import pytest

from hub.bootstrap.oidc import check_provider, open_provider
from hub.cli.app import main
from hub.config import load
from hub.errors import ConfigError
from tests.hub.api.test_oidc import settings_of
from tests.support.oidc import CLIENT_SECRET, openid_provider

FINE = {
    "issuer": "https://login.example.org/realms/x",
    "client_id": "mmhub",
    "client_secret": "s",
    "redirect_uri": "https://hub.example.org/api/v1/session/oidc/callback",
}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def opened(**more):
    return open_provider(load(overrides={f"oidc.{key}": value for key, value in {**FINE, **more}.items()}).settings)


def test_without_an_issuer_there_is_none_and_with_all_keys_there_is_one():
    assert open_provider(load().settings) is None
    assert opened().issuer == FINE["issuer"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"issuer": ""}, r"^oidc\.issuer is missing"),
        ({"issuer": "login.example.org"}, r"^oidc\.issuer.* should be the address of an OpenID provider"),
        ({"issuer": "https://login.example.org/a|b"}, r"^oidc\.issuer.* should be the address of an OpenID provider"),
        ({"issuer": "http://login.example.org"}, r"^oidc\.issuer: the URL .* is not https"),
        ({"issuer": "https://192.0.2.1/"}, r"^oidc\.issuer: .*names no host"),
        ({"client_id": ""}, r"^oidc\.client_id is missing"),
        ({"client_secret": ""}, r"^oidc\.client_secret \(in the environment\) or oidc\.client_secret_file is missing"),
        ({"client_secret": "", "client_secret_file": "none"}, r"^oidc\.client_secret_file: the file .* cannot be read"),
        ({"redirect_uri": ""}, r"^oidc\.redirect_uri should be https://HOST/api/v1/session/oidc/callback"),
        ({"redirect_uri": "http://hub.example.org/api/v1/session/oidc/callback"}, r"^oidc\.redirect_uri should be https"),
        ({"redirect_uri": "https://hub.example.org/back"}, r"^oidc\.redirect_uri should be https"),
        ({"landing": "//elsewhere.example.org"}, r"^oidc\.landing"),
        ({"landing": "https://elsewhere.example.org"}, r"^oidc\.landing"),
        ({"landing": "/\\elsewhere.example.org"}, r"^oidc\.landing"),
        ({"hosts": ["https://a.example.org"]}, r"^oidc\.hosts"),
        ({"ca_file": "none.pem"}, r"certificates .*none\.pem cannot be used"),
    ],
)
def test_what_is_wrong_is_a_sentence_that_names_the_key(more, said):
    with pytest.raises(ConfigError, match=said):
        opened(**more)


def test_the_secret_comes_from_a_file_or_the_environment_and_is_never_shown(tmp_path, monkeypatch):
    Path("secret").write_text(f"{CLIENT_SECRET}\n")
    assert opened(client_secret="", client_secret_file=str(tmp_path / "secret")) is not None
    monkeypatch.setenv("MMHUB_OIDC__CLIENT_SECRET", CLIENT_SECRET)
    loaded = load()
    assert loaded.settings.oidc.client_secret.get_secret_value() == CLIENT_SECRET
    assert CLIENT_SECRET not in repr(loaded.settings) + str(loaded.show_origin()) + repr(opened()._client)
    Path("mmhub.toml").write_text("[oidc]\nclient_secret = 'x'\n")
    with pytest.raises(ConfigError, match=r"set MMHUB_OIDC__CLIENT_SECRET instead, or name a file .* oidc\.client_secret_file"):
        load()


def test_a_check_asks_the_provider_and_says_what_is_wrong(tmp_path):
    with openid_provider(tmp_path) as provider:
        assert check_provider(settings_of(provider)) == []
        provider.document = {"issuer": "https://elsewhere.example.org"}
        assert "is of the issuer https://elsewhere.example.org, not" in check_provider(settings_of(provider))[0]
        provider.document = {"token_endpoint": "https://elsewhere.example.org/token"}
        assert "elsewhere.example.org is not among the hosts" in check_provider(settings_of(provider))[0]
        provider.web.pages.clear()
        assert "answered 404" in check_provider(settings_of(provider))[0]
    assert "cannot be read" in check_provider(settings_of(provider))[0]


def test_config_check_names_the_section(capsys):
    Path("mmhub.toml").write_text("[api]\nport = 0\n[oidc]\nissuer = 'https://login.example.org'\n")
    assert main(["config", "check", "--json"]) == 1
    said = {one["part"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (said["oidc"]["fine"], said["oidc"]["says"]) == (
        False,
        ["client_id is missing: what the OpenID provider calls the hub"],
    )
