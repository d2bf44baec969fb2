"""What catalogues the hub of a simulated world has: conf/calibration.toml."""

import tomllib
from dataclasses import dataclass

from hub.demo.survey.light_curves import KIND_NAMES
from hub.errors import ConfigError
from hub.model.catalog import CatalogKind
from hub.science.toml_rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPast:
    """The survey's own table of what it detected before."""

    nights: int
    """Before those that packets know."""

    least_nights: int
    """In which an object was detected."""

    least_reliability: float
    """Of each detection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicCatalog:
    """A catalogue of others: which objects it holds is drawn."""

    kind: CatalogKind
    of: int
    """Kind of object in `hub.demo.survey.light_curves`."""

    faintest_mag: float
    """Of the mean flux."""

    least_amplitude: float
    """Of the flux, over its mean."""

    share: float
    """Of those that pass."""

    amplitude: float
    """Median amplitude over mean flux."""

    amplitude_dex: float
    """Spread of its logarithm to base 10."""

    position_error_arcsec: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRules:
    """All of them."""

    own: OwnPast
    public: tuple[PublicCatalog, ...]


def load_known_rules(text: str) -> KnownRules:
    """Return the rules in a TOML text; raises `ConfigError`."""
    try:
        row = Row(tomllib.loads(text), "the file")
        row.only("own", "public")
        own = row.table("own")
        own.only("nights", "least_nights", "least_reliability")
        return KnownRules(
            own=OwnPast(
                nights=own.whole("nights", least=1),
                least_nights=own.whole("least_nights", least=1),
                least_reliability=own.number("least_reliability", least=0.0, most=1.0),
            ),
            public=tuple(_public(one) for one in row.tables("public")),
        )
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise ConfigError(f"conf/calibration.toml: {error}") from error


def _public(row: Row) -> PublicCatalog:
    numbers = ("faintest_mag", "least_amplitude", "share", "amplitude", "amplitude_dex", "position_error_arcsec")
    row.only("kind", "of", *numbers)
    if (of := row.word("of")) not in KIND_NAMES:
        raise ValueError(f"of of {row.where} must be one of {', '.join(KIND_NAMES)}, not {of!r}")
    return PublicCatalog(
        kind=CatalogKind(row.word("kind")),
        of=KIND_NAMES.index(of),
        faintest_mag=row.number("faintest_mag", least=-30.0, most=40.0),
        least_amplitude=row.number("least_amplitude", least=0.0, most=10.0),
        share=row.number("share", least=0.0, most=1.0),
        amplitude=row.number("amplitude", above=0.0, most=10.0),
        amplitude_dex=row.number("amplitude_dex", least=0.0, most=3.0),
        position_error_arcsec=row.number("position_error_arcsec", least=0.0, most=60.0),
    )
