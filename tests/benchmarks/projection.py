"""Times columns straight from Avro bytes beside fastavro with a writer schema that ends with the last wanted field, in one run.

The packets are of full size, with cutouts. Both read them where they lie, behind the five bytes of their framing.
polars-avro and jetliner read object containers only: where they are installed, they get the same bodies put into one.
"""

import argparse
import gc
import importlib
import io
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import fastavro

from adapters.codecs.alerts import decode_messages, lsst
from adapters.codecs.alerts.avro_projection import Messages, Projector, make_projector
from adapters.codecs.alerts.avro_schema import As, Want
from adapters.codecs.alerts.lsst_schemas import by_id
from tests.benchmarks.figures import Figure, at_least, run
from tests.conftest import REPOSITORY
from tests.support import lsst_packets

VERSION, SCHEMA_ID = "10.0", 1000
CUTOUT = bytes(range(256)) * 135
"""34,560 bytes, as a cutout of the survey has."""

N_SOURCES, N_FORCED = 380, 700
"""History of a packet from a deep drilling field: the recorded ones have 303 to 391, and 340 to 777."""

FOUR = tuple(want for want in lsst.WANTS if want.name in ("source_id", "mid_mjd", "ra_deg", "dec_deg"))
LEADING = tuple(want for want in lsst.WANTS if want.name not in ("n_history", "earliest_mjd", "first_mjd"))
ARCHIVE = (*lsst.WANTS, Want(name="n_sources", paths=("diaObject.nDiaSources",), kind=As.INTEGER))
LEADING_GOAL, ARCHIVE_GOAL = 50.0, 20.0
ROOM = 300
"""Characters of an error that are told."""


def source(blank: dict[str, Any], kinds: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """Return a detection with nearly every field stated; those of trails and dipoles seldom are."""
    some = {"long": 170_094_456_523_456_557, "int": 1681, "float": 123.5, "double": 61_234.5, "boolean": False, "string": "i"}
    stated = {}
    for name, kind in kinds.items():
        simple = next(each for each in (kind if isinstance(kind, list) else [kind]) if each != "null")
        is_rare = name.startswith(("trail", "dipole"))
        if not isinstance(kind, list) or dice.random() > (0.9 if is_rare else 0.05):
            stated[name] = some[simple]
    return blank | stated


def packets(n: int, n_sources: int, n_forced: int) -> list[bytes]:
    """Return packets with so many earlier detections and forced measurements each."""
    dice = random.Random(n_sources)
    root = lsst_packets.schema(VERSION)
    defined = lsst_packets.records(root)
    kinds = {
        name: {field["name"]: field["type"] for field in defined[f"lsst.v10_0.{name}"]["fields"]}
        for name in ("diaSource", "diaForcedSource", "diaObject")
    }
    blanks = {name: lsst_packets.blank(f"lsst.v10_0.{name}", defined) for name in kinds}
    made = []
    for number in range(n):
        packet = lsst_packets.record(VERSION)
        packet |= {"observation_reason": "field_survey", "target_name": "lowdust"}
        packet["diaSource"] = (
            source(blanks["diaSource"], kinds["diaSource"], dice) | lsst_packets.SOURCE | {"diaSourceId": number + 1}
        )
        packet["diaObject"] = source(blanks["diaObject"], kinds["diaObject"], dice)
        if n_sources:
            packet["prvDiaSources"] = [source(blanks["diaSource"], kinds["diaSource"], dice) for _ in range(n_sources)]
            packet["prvDiaForcedSources"] = [
                source(blanks["diaForcedSource"], kinds["diaForcedSource"], dice) for _ in range(n_forced)
            ]
        packet |= dict.fromkeys(("cutoutDifference", "cutoutScience", "cutoutTemplate"), CUTOUT)
        made.append(lsst_packets.framed(VERSION, packet))
    return made


def seconds_each(action: Callable[[], Any], n: int, times: int) -> float:
    """Return what one of ``n`` messages costs in the quickest of some runs: the one that other work disturbed least.

    A run takes some milliseconds, so that one or another is not interrupted on a busy machine.
    """
    taken = []
    gc.collect()
    for _ in range(times):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return min(taken) / n


def read_with_fastavro(schema: Any, payloads: Sequence[bytes]) -> None:
    for payload in payloads:
        data = io.BytesIO(payload)
        data.seek(5)
        fastavro.schemaless_reader(data, schema, None)


def beside_fastavro(
    what: str, wants: tuple[Want, ...], payloads: Sequence[bytes], goal: float | None, *, to_the_end: bool
) -> Iterator[Figure]:
    """Time a plan, and fastavro with the schema that ends where the last wanted field does."""
    schema = lsst_packets.plain_schema(VERSION)
    projector = make_projector(schema, wants, to_the_end=to_the_end)
    cut = make_projector(schema, wants, to_the_end=False).schema
    n = len(payloads)
    check(projector, payloads)
    ours = seconds_each(lambda: projector.project(Messages.of(payloads).behind(5)), n, 30)
    few = payloads[: max(n // 50, 2)]
    theirs = seconds_each(lambda: read_with_fastavro(cut, few), len(few), 30)
    yield Figure(what=f"{what}: ours", value=1e9 * ours, unit="ns", note=f"{n} packets, {len(wants)} columns")
    yield Figure(what=f"{what}: fastavro, schema cut", value=1e9 * theirs, unit="ns", note=f"{len(few)} of the same packets")
    ratio = theirs / ours
    yield Figure(what=f"{what}: ratio", value=ratio, unit="x") if goal is None else at_least(f"{what}: ratio", ratio, "x", goal)


def check(projector: Projector, payloads: Sequence[bytes]) -> None:
    """Make sure that what is timed is the kernel, and that it reads every packet."""
    found = projector.project(Messages.of(payloads).behind(5))
    if projector.plan is None or found.faults.any():
        raise RuntimeError("the packets are not read")


def containers(payloads: Sequence[bytes], folder: Path) -> Iterator[Figure]:
    """Time what polars-avro and jetliner do with the same bodies in an object container: all of diaSource and diaObject."""
    plain = _container(folder / "packets.avro", lsst_packets.schema(VERSION), payloads)
    written_out = _container(folder / "written-out.avro", without_references(lsst_packets.schema(VERSION)), payloads)
    for name in ("polars_avro", "jetliner"):
        try:
            library = importlib.import_module(name)
        except ImportError:
            note = "not installed: `pip install --group bench` brings it, where it has a wheel for this machine"
            yield Figure(what=f"{name} on a container", value=float("nan"), unit="ns", note=note)
            continue
        spent, note = float("nan"), "diaSource and diaObject, all cores, from the page cache"
        for path, remark in (
            (plain, ""),
            (written_out, "each type written out in the header's schema, for of the plain one it says: "),
        ):
            try:
                spent = _seconds_of_container(library, path, len(payloads))
            except Exception as error:  # noqa: BLE001 - whatever another library says of the file is what is to be reported
                said = _first_sentence(error)
            else:
                note += f"; {remark}{said}" if remark else ""
                break
        else:
            note = f"does not read it: {said}"
        yield Figure(what=f"{name} on a container", value=1e9 * spent, unit="ns", note=note)


def _seconds_of_container(library: Any, path: Path, n: int) -> float:
    """Return what one of the packets costs another library."""

    def read() -> int:
        return len(library.scan_avro(str(path)).select(["diaSource", "diaObject"]).collect())

    if (n_read := read()) != n:
        raise RuntimeError(f"{n_read} of {n} are read")
    return seconds_each(read, n, 5)


def _container(path: Path, schema: Any, payloads: Sequence[bytes]) -> Path:
    """Write bodies as they are into an object container whose header has a schema."""
    out = io.BytesIO()
    fastavro.writer(out, schema, [])
    sync = out.getvalue()[-16:]
    with path.open("wb") as file:
        file.write(out.getvalue())
        for payload in payloads:
            for number in (1, len(payload) - 5):
                fastavro.schemaless_writer(file, "long", number)
            file.write(payload[5:] + sync)
    return path


def without_references(schema: Any) -> Any:
    """Return a schema for the same bytes in which each record is written out wherever it stands, under a name of its own."""
    known: dict[str, Any] = {}
    numbers = itertools.count(1)

    def written(part: Any) -> Any:
        match part:
            case str():
                return written(known[part]) if part in known else part
            case list():
                return [written(one) for one in part]
            case {"type": "record"}:
                full = part["name"] if "." in part["name"] else f"{part['namespace']}.{part['name']}"
                known[full] = part
                fields = [{"name": field["name"], "type": written(field["type"])} for field in part["fields"]]
                return {"type": "record", "name": f"one.record{next(numbers)}", "fields": fields}
            case {"type": "array"}:
                return {"type": "array", "items": written(part["items"])}
            case {"type": str()}:
                return {"type": part["type"]}
            case _:
                return written(part["type"])

    return written(schema)


def _first_sentence(error: Exception) -> str:
    """Return what another library says, as far as a table has room for it."""
    text = " ".join(str(error).split())
    return text if len(text) <= ROOM else text[:ROOM].rpartition(" ")[0] + " ..."


START = """
import json, resource, sys, time
def resident(): return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
import adapters.codecs.decoder
import astropy.units, astropy_healpix
before, begun = resident(), time.perf_counter()
import numba
numba_s, numba_mib = time.perf_counter() - begun, resident() - before
from adapters.codecs.alerts import avro_kernel
print(json.dumps([numba_s, numba_mib, time.perf_counter() - begun, resident() - before]))
"""


def starts() -> Iterator[Figure]:
    """Time what the first batch of a process waits for, with nothing compiled before and with everything."""
    with tempfile.TemporaryDirectory() as folder:
        spent = []
        for _ in range(2):
            environment = os.environ | {"NUMBA_CACHE_DIR": folder}
            done = subprocess.run(
                [sys.executable, "-c", START], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
            )
            spent.append(json.loads(done.stdout))
    (_, _, first_s, _), (numba_s, numba_mib, again_s, all_mib) = spent
    yield Figure(what="first batch ever: compiling", value=first_s, unit="s", note="once on a machine; numba's import included")
    yield Figure(what="first batch of a process: loading", value=again_s, unit="s", note=f"{numba_s:.2f} s of it numba's import")
    yield Figure(
        what="memory of numba and the kernel", value=all_mib, unit="MiB", note=f"{numba_mib:.0f} MiB of it numba's import"
    )


def measure(asked: argparse.Namespace) -> Sequence[Figure]:
    first, deep = packets(asked.packets, 0, 0), packets(max(asked.packets // 25, 4), N_SOURCES, N_FORCED)
    first_kb, deep_kb = (sum(map(len, some)) / len(some) / 1e3 for some in (first, deep))
    found = [
        *beside_fastavro("ids, position and time only", FOUR, first, None, to_the_end=False),
        *beside_fastavro("(a) leading fields to the end of diaSource", LEADING, first, LEADING_GOAL, to_the_end=False),
        *beside_fastavro(f"(b) archive, first detection of {first_kb:.0f} kB", ARCHIVE, first, ARCHIVE_GOAL, to_the_end=True),
        *beside_fastavro(f"(b) archive, deep field of {deep_kb:.0f} kB", ARCHIVE, deep, ARCHIVE_GOAL, to_the_end=True),
    ]
    whole = by_id(SCHEMA_ID).schema
    for what, some in (("first detection", first), ("deep field", deep)):
        rows = seconds_each(lambda some=some: decode_messages(some), len(some), 10)
        few = some[: max(len(some) // 50, 2)]
        full = seconds_each(lambda few=few: read_with_fastavro(whole, few), len(few), 20)
        found.append(
            Figure(what=f"{what}: to rows with provenance and pixel", value=1e9 * rows, unit="ns", note=f"batch of {len(some)}")
        )
        found.append(
            Figure(what=f"{what}: whole record with fastavro", value=1e9 * full, unit="ns", note=f"{full / rows:.0f} x the rows")
        )
    with tempfile.TemporaryDirectory() as folder:
        found += containers(first, Path(folder))
    return [*found, *starts()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=1000, help="first detections; of deep-field packets a 25th")
    run(measure, parser)


if __name__ == "__main__":
    main()
