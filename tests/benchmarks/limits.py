"""What stands in the way of the goals that were missed, and what bounds those that were met: reckoned from the figures on the page.

No number is written by hand: where the page lacks a figure, nothing is said that needs it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.benchmarks.paper import Figures, figures_of
from tests.benchmarks.stages import ARCHIVE, COLUMNS, COMMIT, EVALUATING, TAKING

GOAL_OF_BARE, GOAL_OF_BURST = 0.8, 1.25
"""As `whole_path` and `visit` have them."""

UNSAID = "no figure on this page says why."

OF_CANDIDATES = (
    "look up what is watched",
    "watch what matched",
    "read events",
    "read past alerts of objects",
    "judge candidates",
    "write candidates",
    "place objects",
    "what follows from candidates",
    "keep packets of matches",
    COMMIT,
    EVALUATING,
)
"""Stages that there are for the sake of candidates."""

TITLE = "What bounds these figures"


@dataclass(frozen=True, kw_only=True)
class Missed:
    """A goal that was missed."""

    section: str
    what: str
    value: str
    goal: str


def text_of(blocks: Mapping[str, str]) -> str:
    """Return the section as Markdown."""
    figures, missed = figures_of(blocks), missed_of(blocks)
    lines = [f"## {TITLE}", "", "Reckoned from the figures above: goals that were missed, each with what stands in its way,"]
    lines += ["and what must be known beside some that were met.", ""]
    lines += [f"- {_told(one, figures)}" for one in missed] or ["- No goal was missed."]
    lines += [f"- {sentence}" for sentence in (*_bursts(figures), *_makers(figures))]
    return "\n".join(lines) + "\n"


def missed_of(blocks: Mapping[str, str]) -> list[Missed]:
    """Return the goals that the tables of some sections say were missed, in their order."""
    row = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+): \*\*missed\*\* \|", re.MULTILINE)
    return [
        Missed(section=name, what=what, value=value, goal=goal)
        for name, text in blocks.items()
        for what, value, goal in row.findall(text)
    ]


def _told(one: Missed, figures: Figures) -> str:
    head = f"**{one.what}** (`{one.section}`): {one.value.strip()}, goal {one.goal.strip()}: "
    reason = next((say for what, say in _REASONS.items() if re.search(what, one.what)), None)
    said = None if reason is None else reason(figures.get(one.section, {}))
    return head + (said or UNSAID)


def _bare(of: Mapping[str, float]) -> str | None:
    """Say of what the ratio to the bare consumer is made, and what it would be with less work."""
    names = ("processor time of the bare consumer", "processor time of the hub", "the hub: threads of the Kafka client")
    if any(name not in of for name in (*names, f"the hub: {TAKING}", f"the hub: {COLUMNS}", f"the hub: {ARCHIVE}")):
        return None
    bare, hub, client = (of[name] for name in names)
    beside = [of.get(f"processor time of the broker beside the {name}", 0.0) for name in ("bare consumer", "hub")]
    taking, columns, rows = client + of[f"the hub: {TAKING}"], of[f"the hub: {COLUMNS}"], of[f"the hub: {ARCHIVE}"]
    stages = [of.get(f"the hub: {name}") for name in OF_CANDIDATES]
    candidates = None if None in stages else sum(one for one in stages if one is not None)

    def ratio(ours: float) -> float:
        return (bare + beside[0]) / (ours + beside[1])

    allowed = (bare + beside[0]) / GOAL_OF_BARE - beside[1]
    left = allowed - taking
    rest = f"{left:.0f} us are left for everything else" if left > 0 else "nothing is left for anything else"
    more = ", more than that" if columns + rows > left else ""
    for_nothing = (
        ""
        if candidates is None
        else f"With candidates for nothing ({candidates:.0f} us) the ratio would be {ratio(hub - candidates):.2f}. "
    )
    return (
        f"the bare consumer needs {bare:.0f} us of processor time for a packet and the broker beside it {beside[0]:.0f}, "
        f"so at {GOAL_OF_BARE:g} of its rate, with all cores busy, the hub has {allowed:.0f} us. What the bare consumer does as well, "
        f"fetching and copying, is {taking:.0f} us of the hub's {hub:.0f}, so {rest}. Alerts that match nothing take "
        f"{columns:.0f} us to read columns out of their bytes and {rows:.0f} us to write rows durably{more}. {for_nothing}"
        f"With nothing but fetching, columns and rows it would be {ratio(taking + columns + rows):.2f}."
    )


def _peers(of: Mapping[str, float]) -> str | None:
    limit, bare = of.get("bare consumer over the peers' shape"), of.get("hub over bare consumer")
    if limit is None or bare is None:
        return None
    return (
        f"the bare consumer, which does nothing, has {limit:.0f} x; the hub has {bare:.2f} of it, for the reason above, "
        f"and would need {50.0 / limit:.2f} of it."
    )


def _burst(of: Mapping[str, float]) -> str | None:
    last, sent = of.get(f"{_BURST}last match after the first was produced"), of.get(f"{_BURST}the broker had its last packet")
    if last is None or sent is None:
        return None
    return f"of the {last:.1f} s the broker waited {sent:.1f} s for the producer; {last - sent:.1f} s are the hub's."


def _rows(of: Mapping[str, float]) -> str | None:
    levels = next((value for what, value in of.items() if what.endswith("as appended: exact level of each row")), None)
    new = next((value for what, value in of.items() if what.endswith(", compacted: search, warm")), None)
    if levels is None or new is None:
        return None
    return (
        f"rows that are not compacted yet lie in many files, and opening and filtering these is all but {1e3 * levels:.0f} ms of it, "
        f"those of the exact levels. Compaction, which runs by itself, makes it {new:.2f} s."
    )


def _memory(of: Mapping[str, float]) -> str | None:
    own, filled = of.get("of it memory of its own"), of.get("the same, once caches have filled")
    if own is None or filled is None:
        return None
    return (
        f"{own:.0f} MB are the worker's own. Each cache has a bound (`hub/services/cache_limits.py`) and they fill during the run: from its "
        f"third fifth to its last the resident set changes by {filled:.0f} %."
    )


_BURST = "one burst: "
_REASONS: Mapping[str, Callable[[Mapping[str, float]], str | None]] = {
    "^hub over bare consumer$": _bare,
    "^hub over the peers' shape$": _peers,
    "^one burst: ": _burst,
    "as appended: search": _rows,
    "resident set": _memory,
}
"""Pattern of a figure's name to what says why its goal was missed, where its section has the figures for it."""


def _bursts(figures: Figures) -> Iterator[str]:
    """Say of bursts that met their goal whether they did so because everybody waited for the producer."""
    for name, of in figures.items():
        last, bare = (of.get(f"{_BURST}{what}") for what in ("last match after the first was produced", "hub over bare consumer"))
        sent = of.get(f"{_BURST}the broker had its last packet")
        if last is None or bare is None or sent is None:
            continue
        path = figures.get("whole_path_300" if name.endswith("300") else "whole_path", {}).get("hub over bare consumer")
        bound = (
            "the producer bounds both, and the ratio says that the hub keeps up with it, not that it reads as fast as a bare consumer"
            if sent > last / GOAL_OF_BURST
            else "the producer does not bound it"
        )
        yield (
            f"**A burst of `{name}`**, {bare:.2f} x of the bare consumer's time: the broker had its last packet after {sent:.2f} s, the hub "
            f"had matched it {last - sent:.2f} s later. So {bound}."
            + (
                ""
                if path is None
                else f" Of packets that all lie in the broker already it takes {1.0 / path:.1f} x as long (`whole_path`)."
            )
        )


def _makers(figures: Figures) -> Iterator[str]:
    """Say why the page has several rates of making packets."""
    rates = {name: of.get("packets made and sent") for name, of in figures.items()}
    cost = {name: of.get("packets made and sent: processor time of the maker") for name, of in figures.items()}
    alone = figures.get("load", {}).get("packets made and sent, with cutouts")
    known = {name: rate for name, rate in rates.items() if rate is not None and cost[name] is not None}
    mine = figures.get("load", {}).get("packets made and sent, with cutouts: processor time of the maker")
    disk = figures.get("load", {}).get("packets that the disk takes, with cutouts")
    if alone is None or mine is None or not known:
        return
    others = "; ".join(
        f"{rate:,.0f} /s in `{name}`, {cost[name]:.0f} us of its processor time each" for name, rate in known.items()
    )
    yield (
        f"**Rates of making packets** differ between sections: {alone:,.0f} /s in `load`, {mine:.0f} us of the maker's processor time each; "
        f"{others}. The packets and their maker are the same. `load` makes the night's tables beforehand and times nothing but packets; the others "
        "time those tables and a broker that has just started too, and whatever the disk still has to write of the sections before"
        + ("." if disk is None else f"; the disk alone takes {disk:,.0f} packets a second.")
    )
