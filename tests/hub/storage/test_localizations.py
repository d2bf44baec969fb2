"""Maps by content, and whole packets of alerts."""

import dataclasses

import numpy as np

from hub.model.sky import Skymap
from hub.storage import localizations, packets
from hub.storage.engine import Store
from tests.support.words import gaussian_map, localization


def test_a_map_comes_back_bit_for_bit_with_and_without_distances(store: Store) -> None:
    flat = gaussian_map(10.0, 20.0, 5.0, order=3)
    layers = [np.linspace(-np.inf if i == 9 else i, 90.0, len(flat.lo)) for i in range(3)]
    layers[0][5], layers[1][6] = np.inf, np.nan
    deep = Skymap(lo=flat.lo, hi=flat.hi, probdensity=flat.probdensity, distmu=layers[0], distsigma=layers[1], distnorm=layers[2])
    for skymap in (flat, deep):
        one = localization(skymap, dist_mean_mpc=40.5)
        with store.transaction() as session:
            localizations.save(session, one)
        with store.reading() as session:
            back = localizations.get(session, one.localization_id)
        assert back is not None
        assert back.skymap.digest() == one.localization_id
        assert (back.summary, back.source, back.remarks) == (one.summary, one.source, one.remarks)
        assert not back.skymap.lo.flags.writeable


def test_the_first_to_bring_a_map_is_remembered(store: Store) -> None:
    one = localization(gaussian_map(10.0, 20.0, 5.0, order=2))
    with store.transaction() as session:
        localizations.save(session, one)
        localizations.save(session, dataclasses.replace(one, remarks=("later",)))
    with store.reading() as session:
        assert localizations.get(session, one.localization_id).remarks == ()
        assert localizations.summary(session, one.localization_id) == one.summary
        assert localizations.summary(session, "nowhere") is None
        assert localizations.get(session, "nowhere") is None


def test_a_packet_is_kept_once_for_each_survey_and_alert(store: Store) -> None:
    with store.transaction() as session:
        packets.save_all(session, "LSST", [(2**62 + 1, b"\x00first")])
        packets.save_all(session, "LSST", [(2**62 + 1, b"second")])
        packets.save_all(session, "ZTF", [(2**62 + 1, b"other")])
    with store.reading() as session:
        assert packets.get(session, "LSST", 2**62 + 1) == b"\x00first"
        assert packets.get(session, "ZTF", 2**62 + 1) == b"other"
        assert packets.get(session, "LSST", 2**62) is None
