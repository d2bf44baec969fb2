"""The catalogue as LSST alert packets: schema 10.0 in Confluent framing, at full size.

Each source is encoded once, in bulk, and its bytes are used again in the histories of later packets; stamps come ready-made
from the pool. A packet is the concatenation of these, as Avro's binary encoding of a record is the concatenation of its fields.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.demo.avro_rows import encode_bytes, encode_long, encode_rows
from hub.demo.catalogue import Catalogue
from hub.demo.packet_layout import PROCESSING_DAYS, packet_layout
from hub.demo.population import ACTIVE_GALAXY, ARTEFACT, COUNTERPART, KNOWN_ASTEROID, SUPERNOVA, UNKNOWN_ASTEROID
from hub.demo.stamps import DIPOLE, IN_GALAXY, MOVING, NEGATIVE, NOISE, SOURCE, VARIANTS, StampPool

VERSION = "10.0"
"""Of the packets' schema."""

SCHEMA_ID = 1000
"""Its id in the Confluent framing: 100 times major plus minor."""

FRAME = struct.pack(">bI", 0, SCHEMA_ID)
"""First five bytes of a packet: magic 0 and the id, big-endian, as the real stream has it."""

BANDS = ("g", "r", "i")
"""Bands whose averages the packets give."""

_NULL, _VALUE = encode_long(0), encode_long(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketWriter:
    """Everything that is needed to put any packet of the night together."""

    catalogue: Catalogue
    sources: Mapping[int, bytes]
    """Row to the encoded diaSource."""

    objects: Mapping[int, bytes]
    """Row to the encoded diaObject as it stands with this source."""

    solar_system: Mapping[int, tuple[bytes, bytes]]
    """Row to the encoded ssSource and mpc_orbits."""

    reasons: tuple[tuple[bytes, bytes], ...]
    """For each place the encoded observation_reason and target_name before and after the merger."""

    first_target_night: tuple[int, ...]
    """For each place the night from which on the second of `reasons` holds."""

    stamps: StampPool
    stamp_index: NDArray[np.int64]

    def packet(self, row: int) -> bytes:
        """Return the packet of one source of the catalogue."""
        catalogue = self.catalogue
        place = int(catalogue.place[row])
        reason = self.reasons[place][int(catalogue.night[row] >= self.first_target_night[place])]
        parts = [FRAME, encode_long(int(catalogue.source_id[row])), reason, self.sources[row]]
        if row in self.solar_system:
            source, orbit = self.solar_system[row]
            parts += [_NULL, _NULL, _NULL, _VALUE, source, _VALUE, orbit]
        else:
            parts += [*self._history(row), _NULL, _VALUE, self.objects[row], _NULL, _NULL]
        parts.append(self.stamps.tails[self.stamp_index[row]])
        return b"".join(parts)

    def _history(self, row: int) -> list[bytes]:
        earlier = self.catalogue.history(row).tolist()
        if not earlier:
            return [_NULL]  # a first detection has null, not an empty list
        return [_VALUE, encode_long(len(earlier)), *(self.sources[item] for item in earlier), encode_long(0)]


def packet_writer(
    catalogue: Catalogue,
    stamps: StampPool,
    *,
    reasons: tuple[tuple[tuple[str, str], tuple[str, str]], ...],
    first_target_night: tuple[int, ...],
    rng: np.random.Generator,
) -> PacketWriter:
    """Return the writer of a night's packets.

    Parameters
    ----------
    catalogue
        Everything detected.
    stamps
        The pool of cutouts.
    reasons
        For each place ``observation_reason`` and ``target_name``, first before and then from the night of `first_target_night`
        on. first_target_night For each place the first night of the target of opportunity. rng For details that nothing depends
        on, such as shapes.
    """
    _, schema = packet_layout(VERSION)
    sent = np.flatnonzero(catalogue.night >= 0)
    known = sent[catalogue.kind[sent] == KNOWN_ASTEROID]
    others = sent[catalogue.kind[sent] != KNOWN_ASTEROID]
    needed = np.flatnonzero(np.isin(catalogue.group_start, np.unique(catalogue.group_start[sent])))
    return PacketWriter(
        catalogue=catalogue,
        sources=dict(zip(needed.tolist(), _source_rows(schema["diaSource"], catalogue, needed, rng), strict=True)),
        objects=dict(zip(others.tolist(), _object_rows(schema["diaObject"], catalogue, others), strict=True)),
        solar_system=dict(zip(known.tolist(), _solar_system_rows(schema, catalogue, known), strict=True)) if len(known) else {},
        reasons=tuple((_reason(*before), _reason(*after)) for before, after in reasons),
        first_target_night=first_target_night,
        stamps=stamps,
        stamp_index=_stamp_kinds(catalogue) * VARIANTS + rng.integers(0, VARIANTS, len(catalogue)),
    )


def _reason(reason: str, target: str) -> bytes:
    return _VALUE + encode_bytes(reason.encode()) + _VALUE + encode_bytes(target.encode())


def _stamp_kinds(catalogue: Catalogue) -> NDArray[np.int64]:
    kinds = np.where(catalogue.flux_njy < 0, NEGATIVE, SOURCE)
    kinds[np.isin(catalogue.kind, (SUPERNOVA, ACTIVE_GALAXY, COUNTERPART))] = IN_GALAXY
    kinds[np.isin(catalogue.kind, (KNOWN_ASTEROID, UNKNOWN_ASTEROID))] = MOVING
    kinds[catalogue.kind == ARTEFACT] = NOISE
    kinds[catalogue.is_dipole] = DIPOLE
    return kinds.astype(np.int64)


def _source_rows(
    fields: list[dict[str, Any]], catalogue: Catalogue, rows: NDArray[np.int64], rng: np.random.Generator
) -> list[bytes]:
    n = len(rows)
    flux, error = catalogue.flux_njy[rows], catalogue.error_njy[rows]
    snr = np.abs(flux) / error
    template = catalogue.template_njy[rows]
    blur = 0.9 / 3600 / snr
    dipole = catalogue.is_dipole[rows]
    artefact = catalogue.kind[rows] == ARTEFACT
    shapeless = rng.random(n) < 0.2 / (1 + np.exp(np.minimum(snr - 6, 50.0)))
    columns: dict[str, NDArray[Any]] = {
        "diaSourceId": catalogue.source_id[rows],
        "visit": catalogue.visit[rows],
        "detector": catalogue.detector[rows],
        "diaObjectId": catalogue.object_id[rows],
        "ssObjectId": catalogue.solar_system_id[rows],
        "midpointMjdTai": catalogue.mjd_tai[rows],
        "timeProcessedMjdTai": catalogue.mjd_tai[rows] + PROCESSING_DAYS,
        "ra": catalogue.ra_deg[rows],
        "dec": catalogue.dec_deg[rows],
        "raErr": blur,
        "decErr": blur,
        "x": catalogue.x[rows],
        "y": catalogue.y[rows],
        "xErr": blur * 3600 / 0.2,
        "yErr": blur * 3600 / 0.2,
        "snr": snr,
        "psfFlux": flux,
        "psfFluxErr": error,
        "apFlux": flux * rng.normal(1.0, 0.05, n),
        "apFluxErr": 2.5 * error,
        "scienceFlux": template + flux,
        "scienceFluxErr": error,
        "templateFlux": template,
        "templateFluxErr": error / 4,
        "isNegative": flux < 0,
        "isDipole": dipole,
        "dipoleMeanFlux": np.where(dipole, np.abs(flux), np.nan),
        "dipoleFluxDiff": np.where(dipole, 0.1 * flux, np.nan),
        "dipoleLength": np.where(dipole, rng.uniform(0.3, 1.0, n), np.nan),
        "extendedness": np.where(shapeless, np.nan, np.where(artefact, rng.random(n), 0.2 * rng.random(n) ** 2)),
        "shape_flag": shapeless,
        "reliability": catalogue.reliability[rows],
        "band": catalogue.band[rows],
        "bboxSize": rng.integers(10, 60, n),
        "pixelFlags_cr": artefact & (rng.random(n) < 0.1),
        "pixelFlags_saturated": artefact & (rng.random(n) < 0.15),
        "pixelFlags_streak": artefact & (rng.random(n) < 0.05),
    }
    constants: dict[str, Any] = {field["name"]: False for field in fields if "boolean" in field["type"]}
    constants |= {"parentDiaSourceId": 0, "psfNdata": 1681, "trailNdata": 0, "dipoleNdata": 0}
    return encode_rows(fields, columns, {name: value for name, value in constants.items() if name not in columns})


def _object_rows(fields: list[dict[str, Any]], catalogue: Catalogue, rows: NDArray[np.int64]) -> list[bytes]:
    count = catalogue.rank[rows] + 1
    first = catalogue.by_object[catalogue.group_start[rows]]
    columns: dict[str, NDArray[Any]] = {
        "diaObjectId": catalogue.object_id[rows],
        "validityStartMjdTai": catalogue.mjd_tai[rows] + PROCESSING_DAYS,
        "ra": catalogue.ra_deg[first]
        + _running_sum(catalogue, catalogue.ra_deg - catalogue.ra_deg[_firsts(catalogue)])[rows] / count,
        "dec": catalogue.dec_deg[first]
        + _running_sum(catalogue, catalogue.dec_deg - catalogue.dec_deg[_firsts(catalogue)])[rows] / count,
        "raErr": np.full(len(rows), 2e-5),
        "decErr": np.full(len(rows), 2e-5),
        "firstDiaSourceMjdTai": catalogue.mjd_tai[first],
        "lastDiaSourceMjdTai": catalogue.mjd_tai[rows],
        "nDiaSources": count,
    }
    for band in BANDS:
        here = catalogue.band == band.encode()
        number = _running_sum(catalogue, here.astype(np.float64))[rows]
        total = _running_sum(catalogue, np.where(here, catalogue.flux_njy, 0.0))[rows]
        variance = _running_sum(catalogue, np.where(here, catalogue.error_njy**2, 0.0))[rows]
        with np.errstate(invalid="ignore", divide="ignore"):
            columns[f"{band}_psfFluxMean"] = total / number
            columns[f"{band}_psfFluxMeanErr"] = np.where(number > 0, np.sqrt(variance) / number, np.nan)
        columns[f"{band}_psfFluxNdata"] = number.astype(np.int64)
    constants = {field["name"]: 0 for field in fields if field["name"].endswith("Ndata") and field["name"] not in columns}
    return encode_rows(fields, columns, constants)


def _firsts(catalogue: Catalogue) -> NDArray[np.int64]:
    return catalogue.by_object[catalogue.group_start]


def _running_sum(catalogue: Catalogue, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each row the sum over the sources of its object up to this one."""
    ordered = np.concatenate([[0.0], np.cumsum(values[catalogue.by_object])])
    start = catalogue.group_start
    return np.asarray(ordered[start + catalogue.rank + 1] - ordered[start])


def _solar_system_rows(
    schema: Mapping[str, list[dict[str, Any]]], catalogue: Catalogue, rows: NDArray[np.int64]
) -> list[tuple[bytes, bytes]]:
    n = len(rows)
    number = catalogue.solar_system_id[rows]
    letters = np.array(
        [f"K15{chr(65 + k // 100 % 24)}{k % 100:02d}{chr(65 + k // 2400 % 24)}" for k in number.tolist()], dtype="S7"
    )
    offset = 0.05 / 3600
    sources = encode_rows(
        schema["ssSource"],
        {
            "diaSourceId": catalogue.source_id[rows],
            "ssObjectId": number,
            "designation": letters,
            "eclLambda": catalogue.ra_deg[rows],
            "eclBeta": np.zeros(n),
            "galLon": np.zeros(n),
            "galLat": np.zeros(n),
            "ephRa": catalogue.ra_deg[rows] + offset,
            "ephDec": catalogue.dec_deg[rows] + offset,
            "ephOffset": np.full(n, 0.07),
        },
        {"diaDistanceRank": 1},
    )
    orbits = encode_rows(
        schema["mpc_orbits"],
        {
            "packed_primary_provisional_designation": letters,
            "unpacked_primary_provisional_designation": letters,
            "designation": letters,
            "q": 1.8 + (number % 97) / 100.0,
            "e": 0.05 + (number % 89) / 500.0,
        },
        {"id": 0},
    )
    return list(zip(sources, orbits, strict=True))
