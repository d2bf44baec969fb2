"""Which window of a rule two times lie in: several windows a rule, widened by clock errors and by how long bursts last."""

from collections.abc import Iterable
from dataclasses import dataclass

from hub.model.event import Event, believed
from hub.model.instant import Instant
from hub.model.notice import Notice, Stage
from hub.science.pair_tables import Clocks, stated_s
from hub.science.rules import PairRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window as it is used for a pair."""

    interval_s: tuple[float, float]
    """Second minus first, inclusive, seconds; widened."""

    widened_s: tuple[float, float]
    """By how much on either side, seconds."""

    is_inside: bool
    """Whether the times lie in it."""

    @property
    def width_s(self) -> float:
        """Width, seconds."""
        return self.interval_s[1] - self.interval_s[0]


def central_time(notice: Notice) -> Instant | None:
    """Return the time that windows are about: the middle of a targeted search's interval, else the time of the event."""
    offset = notice.properties.get("central_offset_s")
    if notice.t0 is None or not isinstance(offset, int | float):
        return notice.t0
    return notice.t0.plus_s(offset)


def timing_notice(event: Event) -> Notice | None:
    """Return the notice that gives the event its time now: the newest believed one that states one."""
    said = (stored.notice for stored in believed([version.stored for version in event.versions]))
    timed = [notice for notice in said if notice.t0 is not None and notice.stage is not Stage.RETRACTION]
    return timed[-1] if timed else None


def current_time(event: Event) -> Instant | None:
    """Return the time that windows are about, as the event is now."""
    notice = timing_notice(event)
    return event.t0 if notice is None else central_time(notice)


def window_now(rule: PairRule, first: Event, second: Event, clocks: Clocks) -> Window:
    """Return the narrowest window of a rule that two events lie in now; the narrowest of all where they lie in none."""
    times = current_time(first), current_time(second)
    delay = None if times[0] is None or times[1] is None else times[1].minus(times[0])
    clock = sum(clocks.error_s(notice) for notice in (timing_notice(first), timing_notice(second)) if notice is not None)
    durations = stated_s(first.properties.get("duration_s")), stated_s(second.properties.get("duration_s"))
    down, up = _widening(rule, clock, *durations)
    windows = [
        Window(interval_s=(low - down, high + up), widened_s=(down, up), is_inside=_is_inside(delay, low - down, high + up))
        for low, high in rule.windows_s
    ]
    return next((window for window in windows if window.is_inside), windows[0])


def ever_inside(rule: PairRule, first: Event, second: Event, clocks: Clocks) -> bool:
    """Tell whether any times that two events ever had lie in a window; more notices can only make this true."""
    down, up = _widening(
        rule,
        _largest(clocks.error_s(n) for n in first.content) + _largest(clocks.error_s(n) for n in second.content),
        _largest(stated_s(n.properties.get("duration_s")) for n in first.content),
        _largest(stated_s(n.properties.get("duration_s")) for n in second.content),
    )
    before = {central_time(n) for n in first.content} - {None}
    after = {central_time(n) for n in second.content} - {None}
    delays = [t_second.minus(t_first) for t_first in before for t_second in after if t_first is not None and t_second is not None]
    return any(_is_inside(delay, low - down, high + up) for delay in delays for low, high in rule.windows_s)


def reach_s(rule: PairRule, clocks: Clocks) -> tuple[float, float]:
    """Return the interval in which partners of a rule can lie, whatever its windows are widened by, seconds."""
    low, high = rule.window_s
    down, up = _widening(rule, 2.0 * clocks.largest_s, rule.max_duration_s, rule.max_duration_s)
    return low - down, high + up


def _widening(rule: PairRule, clock_s: float, first_duration_s: float, second_duration_s: float) -> tuple[float, float]:
    """Return by how much windows are wider below and above: a burst is there from its trigger on until it ends."""
    last_first = min(first_duration_s, rule.max_duration_s) if "first" in rule.duration_of else 0.0
    last_second = min(second_duration_s, rule.max_duration_s) if "second" in rule.duration_of else 0.0
    return clock_s + last_second, clock_s + last_first


def _is_inside(delay_s: float | None, low_s: float, high_s: float) -> bool:
    return delay_s is not None and low_s <= delay_s <= high_s


def _largest(values: Iterable[float]) -> float:
    return max(values, default=0.0)
