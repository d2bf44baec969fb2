"""A hub as a process that asks Swift for the best field of a merger's map, and listens to and tells a Treasure Map; all on loopback."""

import base64

from tests.conftest import REPOSITORY, missing
from tests.support.json_notices import as_bytes, igwn_alert
from tests.support.ocs import midnight_ra_deg, now
from tests.support.skymaps import NUNIQ_HEADER, fits_bytes, gaussian_map, to_table, with_distance
from tests.support.swift import SECRET, USER

MERGER = "S261124x"
DEC_DEG = -65.0
"""Of the map: with the right ascension of midnight it is up each night of the south."""

TILES = (REPOSITORY / "tests/data/policy/tarot.toml").read_text(encoding="utf-8")
TEXTS = """
[networks.swift.texts]
immediate_objective = "Find out whether {target} is hot and blue."
science_just = "{target} lies in the map of {event}: {reason}."
exp_time_just = "{seconds} s reach what is expected."
other_brightness = "about 20 mag in the ultraviolet"
"""


def needs_swifttools():
    """Skip, or fail where all parts must be there, without the official package, by whose schema each form is checked."""
    try:
        import swifttools  # noqa: F401
    except ModuleNotFoundError as error:
        missing(f"the package swifttools: {error}")


def policy():
    """Return the policy of three robotic telescopes with Swift in their place: one field."""
    head, _, rest = TILES.partition("[[allocation]]")
    rule = rest.partition("[[rule]]")[2].partition("[[rule]]")[0].replace('["TCH", "TRE", "TCA"]', '["swift"]')
    for old, new in (
        ("tarot.example.org", "127.0.0.1"),
        ("max_fields = 20", "max_fields = 1"),
        ('filter = "open", seconds = 200.0, count = 3', 'filter = "u", seconds = 600.0'),
    ):
        assert old in head
        head = head.replace(old, new)
    swift = '[[allocation]]\nname = "swift"\nnetwork = "swift"\ninstrument = "UVOT"\nsites = ["CTIO", "SAAO", "SSO"]\n'
    return f'{head}{swift}host = "127.0.0.1"\nfov_deg = 1.0\n\n[[rule]]{rule}'


def settings(folder, swift, treasure_map, more=""):
    """Write the settings of the hub into a folder, with what they name; return the file."""
    (folder / "policy.toml").write_text(policy(), encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "data" / "swift-secret").write_text(SECRET)
    (folder / "data" / "map-token").write_text("token-of-the-hub")
    treasure_map.events.add(MERGER)
    file = folder / "mmhub.toml"
    file.write_text(f"""
[hub]
data_dir = "{folder / "data"}"

[api]
port = 0

[followup]
policy = "{folder / "policy.toml"}"

[registers]
fetch_s = 1.0

[sources.inbox]
kind = "folder"
path = "{folder / "inbox"}"

[networks.swift]
kind = "swift"
live = true
url = "{swift.root}"
hosts = ["127.0.0.1"]
allow_loopback = true
username = "{USER}"
secret_file = "swift-secret"
debug = false
{TEXTS}
[networks.map]
kind = "treasure-map"
live = true
url = "{treasure_map.url}"
hosts = ["127.0.0.1"]
allow_loopback = true
user = "hub"
token_file = "map-token"
instruments = {{ UVOT = {{ id = 10, depths = {{ u = 20.5 }} }} }}
{more}""")
    return file


def alert(kind):
    """Return an alert of a near merger whose map lies where it is night, as the observatories would send it now."""
    event = None
    if kind != "RETRACTION":
        made = with_distance(gaussian_map(midnight_ra_deg(), DEC_DEG, 2.0, top_nside=8, rounds=4), 120.0, 24.0)
        skymap = base64.b64encode(fits_bytes(to_table(made), NUNIQ_HEADER)).decode()
        event = igwn_alert()["event"] | {"skymap": skymap, "time": now().plus_s(-600.0).to_utc_iso()}
    created = now().to_utc_iso()[:19] + "Z"
    return as_bytes(igwn_alert(superevent_id=MERGER, alert_type=kind, time_created=created, event=event))


def told(rows):
    """Return what a map has of the hub's account: status by band."""
    return [(row["band"], row["status"]) for row in rows if row["username"] == "hub"]
