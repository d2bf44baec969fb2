"""The functions of the hub that the calibration puts to the test, together, so that a defect can be planted in any."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hub import resources
from hub.model.joint_rates import JointRates
from hub.model.sky import Localization, Skymap, StatedPosition
from hub.science import overlap, searches
from hub.science.families import Dust
from hub.science.localization_table import load_localization_table
from hub.science.rules import Rules, load_rules
from hub.science.searches import Search


class JointRatesOf(Protocol):
    """`hub.science.searches.joint_rates`, as far as it is used here."""

    def __call__(
        self,
        search: Search,
        *,
        far_gw_hz: float,
        profile: str,
        overlap: float | None = None,
        rate_hz: float | None = None,
        gw_rate_hz: float | None = None,
        far_external_hz: float | None = None,
    ) -> JointRates:
        """Return the rates of a coincidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is under test; by default what the hub runs with."""

    rules: Rules
    localize: Callable[[StatedPosition, str | None], Localization | None]
    joint_rates: JointRatesOf = searches.joint_rates
    overlap: Callable[[Skymap, Skymap], float] = overlap.overlap_integral

    @property
    def dust(self) -> Dust:
        """The Galaxy's dust, as the families of light curves have it."""
        assert self.rules.families is not None, "the shipped rules have families"
        return self.rules.families.dust

    def search(self, name: str) -> Search:
        """Return a search of the rules by its name."""
        return next(search for search in self.rules.searches if search.name == name)

    def map_of(self, position: StatedPosition, systematic_model: str | None = None) -> Skymap:
        """Return the map of a position that has an error region."""
        found = self.localize(position, systematic_model)
        assert found is not None, "the position has a region"
        return found.skymap


def as_shipped() -> Subject:
    """Return the hub's own functions and rules."""
    return Subject(
        rules=load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml")),
        localize=load_localization_table(resources.read_text("conf/localizations.toml")).localize,
    )
