"""Of which localizations the place of a burst is made."""

import itertools

import pytest

from hub.science.source_place import CombinePolicy, Placed, place_of_source

POLICY = CombinePolicy(min_overlap=1.0, max_area_ratio=1000.0, made_of_others=frozenset({"IPN"}))


def placed(event_id: str, area: float = 10.0, place: str | None = None, cites: tuple[str, ...] = ()) -> Placed:
    return Placed(
        event_id=event_id,
        mission=event_id.partition("-")[0],
        localization_id=place or f"map of {event_id}",
        area90_deg2=area,
        cites=frozenset(cites),
    )


def agree(a: str, b: str) -> float:
    """Tell that all places agree but those that are called away."""
    return 0.3 if ("away" in a) != ("away" in b) else 40.0


FERMI, GECAM, SVOM = placed("Fermi-1", 300.0), placed("GECAM-2", 100.0), placed("SVOM-3", 20.0)


def test_independent_places_that_agree_are_combined_the_smallest_first() -> None:
    found = place_of_source([FERMI, GECAM, SVOM], POLICY, agree)
    assert found.localization_ids == ("map of SVOM-3", "map of GECAM-2", "map of Fermi-1")
    assert found.origin == "combined of 3 that are independent and agree, of SVOM-3, GECAM-2, Fermi-1"
    for order in itertools.permutations([FERMI, GECAM, SVOM]):
        assert place_of_source(order, POLICY, agree) == found


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (placed("SVOM-9", 30.0), "SVOM made that of SVOM-3 too"),
        (placed("GECAM-2", 100.0, "map of SVOM-3"), "it is the same as that of SVOM-3"),
        (placed("GECAM-2", 100.0, cites=("SVOM-3",)), "one of it and SVOM-3 answers the other"),
        (placed("IPN-2", 100.0), "IPN makes its own with the data of others"),
        (placed("GECAM-2", 100.0, "away"), "it disagrees with that of SVOM-3 (overlap 0.3)"),
        (placed("GECAM-2", 20_001.0), "so much wider that it adds nothing"),
    ],
)
def test_what_depends_on_the_smallest_or_disagrees_with_it_is_left_out(other: Placed, why: str) -> None:
    found = place_of_source([other, SVOM], POLICY, agree)
    assert found.localization_ids == ("map of SVOM-3",)
    assert found.origin == f"the smallest, of SVOM-3; that of {other.event_id} is left out: {why}"


def test_a_region_made_of_others_data_is_combined_with_nothing_even_where_it_is_the_smallest() -> None:
    found = place_of_source([placed("IPN-2", 1.0), SVOM, GECAM], POLICY, agree)
    assert found.localization_ids == ("map of IPN-2",)


def test_one_that_disagrees_stops_no_other() -> None:
    found = place_of_source([SVOM, placed("GECAM-2", 100.0, "away"), FERMI], POLICY, agree)
    assert found.localization_ids == ("map of SVOM-3", "map of Fermi-1")
    assert "that of GECAM-2 is left out" in found.origin


def test_without_a_policy_the_smallest_stands() -> None:
    assert place_of_source([FERMI, SVOM], None, agree).origin == "the smallest, of SVOM-3"
    assert place_of_source([SVOM], POLICY, agree).origin == "that of SVOM-3"
    assert place_of_source([], POLICY, agree).localization_ids == ()
