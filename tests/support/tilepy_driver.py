"""Plans with tilepy: run by the interpreter of its own environment, told what as JSON on standard input, answers as JSON on standard output.

tilepy reaches nothing: names of hosts are not resolved, tables of the Earth's rotation are not fetched, and the ephemeris that it would
download is DE421 of ``skyfield-data`` under the name that it looks for.
"""

import json
import logging
import os
import socket
import sys
import time
from datetime import datetime
from pathlib import Path


def alone(*_: object, **__: object) -> None:
    raise OSError("no network in this comparison")


socket.getaddrinfo = alone
socket.socket.connect = alone


def main() -> None:
    asked = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # it prints much, and the answer is not to stand among it
    os.chdir(asked["folder"])
    from skyfield_data import get_skyfield_data_path

    if not Path("de440s.bsp").exists():
        Path("de440s.bsp").symlink_to(Path(get_skyfield_data_path()) / "de421.bsp")
    from astropy.utils import iers

    iers.conf.auto_download = False
    iers.conf.auto_max_age = None
    iers.conf.iers_degraded_accuracy = "ignore"
    begun = time.monotonic()
    found = planned(asked)
    json.dump({"pointings": found, "seconds": time.monotonic() - begun}, answer)
    answer.close()


def planned(asked: dict) -> list[list]:
    """Return right ascension and declination in degrees, and begin in UTC, of each pointing in its order."""
    import astropy.units as u
    from astropy.coordinates import EarthLocation
    from tilepy.include.CampaignDefinition import ObservationParameters
    from tilepy.include.MapManagement import SkyMap, create_map_reader
    from tilepy.include.TilingDetermination import PGWinFoV

    logging.disable(logging.CRITICAL)
    site, is_free = asked["site"], asked["site"] is None
    lon, lat, height = (0.0, 0.0, 0.0) if is_free else (site["lon_deg"], site["lat_deg"], site["height_m"])
    how = ObservationParameters(
        obs_name="here",
        event_name="map",
        sunDown=90 if is_free else asked["max_sun_altitude_deg"],
        moonDown=90,
        moonGrey=90,
        moonPhase=100,
        minMoonSourceSeparation=0,
        maxMoonSourceSeparation=180,
        maxZenith=180.0 if is_free else asked["max_zenith_deg"],
        FOV=asked["radius_deg"],
        maxRuns=asked["n"],
        maxNights=1,
        duration=asked["pitch_s"] / 60.0,
        minDuration=asked["pitch_s"] / 60.0,
        useGreytime=False,
        minimumProbCutForCatalogue=0.0,
        minProbcut=1e-6,
        distCut=0.0,
        doPlot=False,
        secondRound=False,
        zenithWeighting=0.0,
        percentageMOC=asked["level"],
        reducedNside=asked["reduced_nside"],
        HRnside=asked["nside"],
        mangrove=False,
        skymap=asked["map"],
        mode="healpix",
        obsTime=datetime.fromisoformat(asked["start"]),
        algorithm="2D",
    )
    # Its constructor takes bare numbers for a place, and its methods want units.
    how.lat, how.lon, how.height = lat * u.deg, lon * u.deg, height * u.m
    how.location = EarthLocation(lat=how.lat, lon=how.lon, height=how.height)
    raw = create_map_reader(how)
    table, _ = PGWinFoV(SkyMap(how, raw), "map", how, ".")
    return [[float(row["RA[deg]"]), float(row["DEC[deg]"]), str(row["Time[UTC]"])] for row in table]


if __name__ == "__main__":
    main()
