"""Look-ups find exactly what lies near, wherever on the sky."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hub.catalogs.recipes import recipes
from hub.catalogs.searching import Catalog, Catalogs, separations_arcsec
from hub.catalogs.writing import add

REPOSITORY = Path(__file__).parents[3]


def made(folder: Path, ra: np.ndarray, dec: np.ndarray, reach: np.ndarray | None = None) -> Catalog:
    wide = np.zeros(len(ra)) if reach is None else reach
    lines = "".join(
        f"g{n:05d},{a!r},{d!r},{r!r}\n" for n, (a, d, r) in enumerate(zip(ra.tolist(), dec.tolist(), wide.tolist(), strict=True))
    )
    (folder / "source.csv").write_text("id,ra,dec,position_error_arcsec\n" + lines)
    add(folder / "source.csv", recipes()["generic"], folder, "it")
    return Catalogs(folder).all[0]


def brute(ra: np.ndarray, dec: np.ndarray, at: tuple[np.ndarray, np.ndarray], limit: np.ndarray) -> set[tuple[int, str]]:
    apart = separations_arcsec(at[0][:, None], at[1][:, None], ra[None, :], dec[None, :])
    return {(int(place), f"g{row:05d}") for place, row in np.argwhere(apart <= limit[None, :]).tolist()}


def around(centres: list[tuple[float, float]], n: int, spread_arcsec: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places scattered around some points, the poles and corners of the faces among them."""
    rng = np.random.default_rng(seed)
    ra, dec = (np.repeat([one[axis] for one in centres], n) for axis in (0, 1))
    dec = np.clip(dec + rng.normal(0, spread_arcsec / 3600, len(dec)), -90, 90)
    ra = ra + rng.normal(0, spread_arcsec / 3600, len(ra)) / np.maximum(np.cos(np.radians(dec)), 1e-4)
    return ra % 360, dec


POINTS = [
    (0.0, 90.0),
    (0.0, -90.0),
    (0.0, 0.0),
    (45.0, 41.8103149),
    (45.0, 0.0),
    (90.0, 41.8103149),
    (359.9999, 10.0),
    (123.4, -66.0),
    (22.5, 70.0),
]


@pytest.mark.parametrize("radius", [0.5, 3.0, 60.0, 600.0])
def test_all_that_is_near_is_found_and_nothing_else(tmp_path: Path, radius: float) -> None:
    ra, dec = around(POINTS, 60, radius, 1)
    at = around(POINTS, 20, radius, 2)
    found = made(tmp_path, ra, dec).near(*at, radius)
    expected = brute(ra, dec, at, np.full(len(ra), radius))
    assert len(expected) > 100
    assert set(zip(found.place.tolist(), found.entries.name.tolist(), strict=True)) == expected
    assert (np.diff(found.place) >= 0).all()


def test_entries_that_reach_far_are_found_in_their_own_radius(tmp_path: Path) -> None:
    ra, dec = around(POINTS, 60, 400.0, 3)
    reach = np.random.default_rng(4).choice([0.0, 20.0, 150.0, 500.0, 3000.0], len(ra))
    at = around(POINTS, 20, 400.0, 5)
    found = made(tmp_path, ra, dec, reach).near(*at, 5.0)
    expected = brute(ra, dec, at, np.maximum(reach, 5.0))
    assert set(zip(found.place.tolist(), found.entries.name.tolist(), strict=True)) == expected
    assert len(found) == len(expected)


def test_nothing_is_found_where_nothing_is_asked(tmp_path: Path) -> None:
    catalogue = made(tmp_path, np.array([1.0]), np.array([1.0]))
    assert len(catalogue.near(np.empty(0), np.empty(0), 10.0)) == 0
    assert len(catalogue.near(np.array([180.0]), np.array([-1.0]), 10.0)) == 0


def test_hubs_without_a_folder_have_no_catalogue(tmp_path: Path) -> None:
    assert not Catalogs(tmp_path / "nowhere")


_CHILD = """
import resource, sys
from pathlib import Path
from hub.catalogs.recipes import recipes
from hub.catalogs.writing import add
add(Path(sys.argv[1]), recipes()["glade+"], Path(sys.argv[2]), "it")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_file(tmp_path: Path) -> None:
    peaks = []
    for n_rows in (300_000, 900_000):
        rng = np.random.default_rng(6)
        source = tmp_path / f"{n_rows}.txt"
        with source.open("w") as file:
            for start in range(0, n_rows, 100_000):
                ra, dec = rng.uniform(0, 360, 100_000).tolist(), np.degrees(np.arcsin(rng.uniform(-1, 1, 100_000))).tolist()
                file.writelines(
                    f"{start + n} null null E{start + n}{' null' * 4} {a:.6f} {d:.6f}{' null' * 18} 0.1{' null' * 11}\n"
                    for n, (a, d) in enumerate(zip(ra, dec, strict=True))
                )
        words = [sys.executable, "-c", _CHILD, str(source), str(tmp_path / "catalogs")]
        peaks.append(int(subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=True).stdout))
    # Three times the rows; a row takes some 170 bytes, so all 600,000 more of them at once would be 100 MB.
    assert peaks[1] - peaks[0] < 60
