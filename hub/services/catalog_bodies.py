"""Catalogues and their entries as bodies."""

import math
from dataclasses import asdict

from hub.catalogs.searching import Hits
from hub.model.catalog import MAG_BANDS, CatalogInfo
from hub.services.bodies import Body


def catalog_body(info: CatalogInfo) -> Body:
    """Return what a catalogue says of itself."""
    return asdict(info)


def entry_bodies(catalogue: str, hits: Hits) -> list[Body]:
    """Return the entries that were found around places, in their order."""
    entries = hits.entries
    return [
        {
            "catalogue": catalogue,
            "name": entries.name[row],
            "kind": entries.kind[row],
            "separation_arcsec": round(float(hits.separation_arcsec[row]), 3),
            "ra_deg": float(entries.ra_deg[row]),
            "dec_deg": float(entries.dec_deg[row]),
            "redshift": _known(entries.redshift[row]),
            "distance_mpc": _known(entries.distance_mpc[row]),
            "distance_kind": entries.distance_kind[row],
            **{f"mag_{band}": _known(entries.mags[row, number]) for number, band in enumerate(MAG_BANDS)},
        }
        for row in range(len(hits))
    ]


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
