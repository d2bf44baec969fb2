"""IceCube: gold and bronze tracks, cascades, and the older HESE, EHE and coincidence alerts that AMON distributed."""

import re

from adapters.codecs.gcn_classic.assemble import serial, whole
from adapters.codecs.gcn_classic.kinds import STATISTICAL_90, UNKNOWN_RADIUS, Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import RadiusMeaning, far_hz, number, probability
from hub.model.notice import EventClass, Messenger, Stage

_RUN_EVENT_REVISION = re.compile(r"_(\d+)_(\d+)_(\d+)$")

_NEUTRINO = EventClass.HIGH_ENERGY_NEUTRINO

KINDS = (
    Kind(number=157, name="AMON_ICECUBE_COINC", stage=Stage.INITIAL, event_class=_NEUTRINO, radius=UNKNOWN_RADIUS),
    Kind(number=158, name="AMON_ICECUBE_HESE", stage=Stage.INITIAL, event_class=_NEUTRINO, radius=UNKNOWN_RADIUS),
    Kind(number=169, name="AMON_ICECUBE_EHE", stage=Stage.INITIAL, event_class=_NEUTRINO, radius=UNKNOWN_RADIUS),
    Kind(
        number=173,
        name="ICECUBE_ASTROTRACK_GOLD",
        stage=Stage.INITIAL,
        event_class=_NEUTRINO,
        radius=STATISTICAL_90,
        is_recorded=True,
    ),
    Kind(
        number=174,
        name="ICECUBE_ASTROTRACK_BRONZE",
        stage=Stage.INITIAL,
        event_class=_NEUTRINO,
        radius=STATISTICAL_90,
        is_recorded=True,
    ),
    Kind(
        number=176,
        name="ICECUBE_CASCADE",
        stage=Stage.INITIAL,
        event_class=_NEUTRINO,
        radius=RadiusMeaning(containment=0.9, systematic_included=True),  # so says the packet of its src_error_90
        is_recorded=True,
    ),
)
"""IceCube's packet types. Error2Radius equals src_error_90 in the recent ones; the older ones do not document theirs."""

_SELECTIONS = {157: "coincidence", 158: "HESE", 169: "EHE", 173: "gold", 174: "bronze", 176: "cascade"}


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what an IceCube packet says beyond the common parts; revisions share run and event number."""
    found = _RUN_EVENT_REVISION.search(packet.local_id)
    run = packet.get("run_id") or (found[1] if found else None)
    event = packet.get("event_id") or (found[2] if found else None)
    revision = serial(packet, "Rev", "rev") or (whole(found[3]) if found else 0)
    name = packet.get("event_name")
    return Reading(
        event_id=f"{_digits(run)}-{_digits(event)}" if run and event else packet.get("AMON_ID") or packet.local_id,
        aliases=(name,) if name else (),
        messenger=Messenger.NEUTRINO,
        stage=Stage.UPDATE if revision > 0 else None,
        sequence=revision,
        far_hz=far_hz(packet.param("FAR"), "yr^-1"),
        p_astro=probability(packet.get("signalness")),
        properties={
            "selection": _SELECTIONS[kind.number],
            "energy_tev": number(packet.get("energy")),
            "src_error_50_deg": number(packet.get("src_error_50")),
            "src_error_90_deg": number(packet.get("src_error_90")),
        },
        skymap_url=packet.get("skymap_fits"),
        used=(
            "run_id",
            "event_id",
            "Rev",
            "FAR",
            "signalness",
            "energy",
            "src_error_50",
            "src_error_90",
            "skymap_fits",
            "event_name",
        ),
    )


def _digits(written: str) -> str:
    """Return a number without leading zeros, other text as it is."""
    return (written.lstrip("0") or "0") if written.isascii() and written.isdigit() else written


MISSION = Mission(name="IceCube", kinds=KINDS, read=read)
"""IceCube's dialect."""
