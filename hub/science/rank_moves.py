"""Which candidates rose and fell between two states of an event, and by which term of the rank."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hub.model.coincidence import Candidate, PairState
from hub.science.ranking import DEFAULT, Ranking

Key = tuple[str, str, str]
"""Survey, object id, hypothesis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One candidate whose place in the ranking changed, or its score."""

    survey: str
    object_id: str
    hypothesis: str
    rank_before: int | None
    """Place among the open candidates from 1; None where it was not open."""

    rank_after: int | None
    score_before: float | None
    """Natural log of the ranking statistic; None where it was no candidate."""

    score_after: float | None
    term: str | None
    """The statistic whose share of the score changed most; None where no score changed, or there is only one."""

    term_before: float | None
    """What it counted in the score; None where it did not speak."""

    term_after: float | None
    reason: str
    """A sentence for a person."""


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the open ones in the order of listings: confirmed ones first, then the larger score, then names."""
    found = [one for one in candidates if one.state is PairState.OPEN]
    return sorted(found, key=lambda one: (not one.confirmed, -one.score, one.object_id, one.survey, one.hypothesis))


def moves(
    before: Sequence[Candidate], after: Sequence[Candidate], *, top: int = 10, ranking: Ranking = DEFAULT
) -> tuple[Move, ...]:
    """Return what became of those that were or are among the first, in their present order, then those that left.

    Candidates with the same rank and score are left out.
    """
    old, new = _by_key(before), _by_key(after)
    rank_old, rank_new = _ranks(before), _ranks(after)
    first = [one for one, rank in rank_new.items() if rank <= top]
    first += [one for one, rank in rank_old.items() if rank <= top and one not in first]
    found = (_move(one, old.get(one), new.get(one), rank_old.get(one), rank_new.get(one), ranking) for one in first)
    return tuple(one for one in found if one.rank_before != one.rank_after or one.score_before != one.score_after)


def _by_key(candidates: Iterable[Candidate]) -> dict[Key, Candidate]:
    return {(one.survey, one.object_id, one.hypothesis): one for one in candidates}


def _ranks(candidates: Iterable[Candidate]) -> dict[Key, int]:
    return {one: rank for rank, one in enumerate(_by_key(ranked(candidates)), start=1)}


def _move(  # noqa: PLR0917 - two states of one candidate
    key: Key, old: Candidate | None, new: Candidate | None, rank_old: int | None, rank_new: int | None, ranking: Ranking
) -> Move:
    term, was, becomes = _largest(_shares(old, ranking), _shares(new, ranking)) if old and new else (None, None, None)
    return Move(
        survey=key[0],
        object_id=key[1],
        hypothesis=key[2],
        rank_before=rank_old,
        rank_after=rank_new,
        score_before=old.score if old else None,
        score_after=new.score if new else None,
        term=term,
        term_before=was,
        term_after=becomes,
        reason=_reason(old, new, rank_old, rank_new, term, was, becomes),
    )


def _shares(one: Candidate, ranking: Ranking) -> dict[str, float]:
    """Return what each term that spoke counts in the score; the 3D level and others that are only shown do not."""
    spoken = {reason.partition(" ")[0] for reason in one.reasons}
    return {
        score.statistic: ranking.weight(score.statistic) * score.value
        for score in one.scores
        if score.value is not None and score.statistic in spoken
    }


def _largest(old: Mapping[str, float], new: Mapping[str, float]) -> tuple[str | None, float | None, float | None]:
    change = {name: abs(new.get(name, 0.0) - old.get(name, 0.0)) for name in {*old, *new}}
    changed = sorted((-size, name) for name, size in change.items() if size > 0.0 or (name in old) is not (name in new))
    if not changed:
        return None, None, None
    name = changed[0][1]
    return name, old.get(name), new.get(name)


def _reason(  # noqa: PLR0917 - all that a sentence says
    old: Candidate | None,
    new: Candidate | None,
    rank_old: int | None,
    rank_new: int | None,
    term: str | None,
    was: float | None,
    becomes: float | None,
) -> str:
    said = "its score did not change" if term is None else f"{term} {_number(was)} to {_number(becomes)}"
    if rank_old is None and rank_new is not None:
        return f"new in the ranking (before: {_why_not(old)})" + (f"; {said}" if term else "")
    if rank_new is None and rank_old is not None:
        return f"not in the ranking any more (now: {_why_not(new)})" + (f"; {said}" if term else "")
    if old is not None and new is not None and old.confirmed is not new.confirmed:
        return f"{'confirmed now' if new.confirmed else 'ranked apart now'}; {said}"
    return said if term else f"{said}; others passed it or left"


def _why_not(one: Candidate | None) -> str:
    if one is None:
        return "no candidate"
    if one.level is None:
        return "withdrawn, the map has no pixel at its place"
    return f"withdrawn, at level {one.level:.4g}"


def _number(value: float | None) -> str:
    return "silent" if value is None else f"{value:+.2f}"
