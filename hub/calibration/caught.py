"""How it is told which planted defects the checks catch."""

from collections.abc import Collection, Sequence

from hub.calibration.result import Check, Table


def new_failures(failed: Sequence[Check], known: Collection[str]) -> list[Check]:
    """Return the failed checks whose names are not among those that fail with nothing planted."""
    return [check for check in failed if check.name not in known]


def is_caught(name: str, caught: Sequence[Check]) -> Check:
    """Return the check that a defect makes some check fail.

    Parameters
    ----------
    name
        Of the defect.
    caught
        `new_failures` with it.
    """
    return Check(
        name=f"{name}: caught",
        passed=bool(caught),
        found=f"{len(caught)} checks fail" if caught else "no check fails: the calibration is blind to it",
    )


def table(caught: Sequence[tuple[str, Sequence[Check]]], *, shown: int) -> Table:
    """Return which checks catch which defect.

    Parameters
    ----------
    caught
        Name of each defect, and `new_failures` with it.
    shown
        Checks that are named for each.
    """
    rows = [
        (name, str(len(checks)), "; ".join(f"{check.name} ({check.found})" for check in checks[:shown]) or "none")
        for name, checks in caught
    ]
    return Table(title="What catches which defect", columns=("defect", "checks that fail", "the first of them"), rows=tuple(rows))


def silent(words: str) -> None:
    """Say nothing: parts that are run again and again would tell too much."""
