"""Telescope networks by the settings: which are opened, which take requests, and what is said of wrong ones."""

from pathlib import Path

import pytest

from hub.bootstrap import check_parts, open_networks, part_kinds
from hub.config import load
from hub.errors import ConfigError, NetworkRefused, Transient
from hub.services.dry_network import is_live
from tests.support.ocs import make_intent

LCO = """
[networks.lco]
kind = "ocs"
url = "https://observe.example.org"
hosts = ["observe.example.org"]
proposal = "P1"
instruments = { X = { telescope_class = "1m0" } }
"""
TOKEN = "c4n4ry" * 6


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def settings(text):
    Path("mmhub.toml").write_text('[hub]\ndata_dir = "."\n' + text)
    return load().settings


def test_a_new_hub_has_the_network_without_telescopes_and_no_other():
    with open_networks(settings("")) as opened:
        (network,) = opened.values()
        assert (network.name, network.is_simulated, network.host) == ("simulated", True, None)
        assert is_live(network)
    assert Path("simulated-network.sqlite").is_file()


def test_a_network_is_not_live_unless_the_settings_say_so(monkeypatch):
    monkeypatch.setenv("MMHUB_NETWORKS__LCO__TOKEN", TOKEN)
    with open_networks(settings(LCO)) as opened:
        lco = opened["lco"]
        assert (lco.name, lco.host, is_live(lco)) == ("lco", "observe.example.org", False)
        with pytest.raises(NetworkRefused, match=r"lco is not live \(networks\.lco\.live\)"):
            lco.submit(make_intent())
    with open_networks(settings(LCO.replace('kind = "ocs"', 'kind = "ocs"\nlive = true'))) as opened:
        assert is_live(opened["lco"])


def test_without_its_token_a_network_lets_its_requests_wait_and_the_others_go_on():
    with open_networks(settings(LCO)) as opened:
        assert set(opened) == {"lco", "simulated"}
        with pytest.raises(Transient, match=r"networks\.lco: token .* is missing, or is no token; nothing was sent"):
            opened["lco"].submit(make_intent())


def test_a_network_that_is_switched_off_is_not_opened():
    with open_networks(settings("[networks.simulated]\nenabled = false\n")) as opened:
        assert opened == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[networks.lco]\nkind = "osc"\n', "networks.lco.kind: there is no kind 'osc'; there are ocs, "),
        ('[networks.lco]\nurl = "https://x.example"\n', "networks.lco.kind is missing"),
        (LCO.replace('url = "https://observe.example.org"\n', ""), "networks.lco.url is missing"),
        (LCO.replace('proposal = "P1"', ""), "networks.lco: proposal is missing, or proposals = "),
        (LCO.replace("hosts", "host"), "networks.lco.host is no option of this kind"),
        (LCO + "live = 7\n", r"networks.lco.live \(mmhub.toml\) should be a valid boolean, .*not 7"),
        (LCO + 'token = "x"\n', "holds a password, which belongs into the environment: set MMHUB_NETWORKS__LCO__TOKEN instead"),
        (
            '[followup]\nnetwork = "lco"\n',
            r"followup.network \(mmhub.toml\) is no setting of the hub",
        ),
    ],
)
def test_a_wrong_network_is_one_sentence(text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        check_parts(settings(text))


def test_the_kinds_and_their_options_are_told():
    found = {one.kind: one for one in part_kinds() if one.part == "network"}
    assert {"ocs", "simulated"} <= set(found)
    keys = {key: default for key, default, _ in found["ocs"].options}
    assert (keys["url"], keys["hosts"], keys["instruments"]) == ("", "", ""), "nothing that names an observatory has a default"
    assert all(meaning for one in found.values() for _, _, meaning in one.options)
