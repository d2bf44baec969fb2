from adapters.transports.kafka.heartbeat import Heartbeat


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Heartbeat, Clock]:
    clock = Clock()
    return Heartbeat("gcn.heartbeat", monotonic=clock), clock


def listen(heartbeat: Heartbeat, clock: Clock, seconds: float) -> None:
    with heartbeat.listening():
        clock.now += seconds


def test_silence_of_more_than_thirty_seconds_is_an_alarm_that_a_heartbeat_ends() -> None:
    heartbeat, clock = made()
    heartbeat.expect()
    heartbeat.beat()
    listen(heartbeat, clock, 29)
    assert heartbeat.alarms() == []
    listen(heartbeat, clock, 2)
    assert heartbeat.alarms() == ["the last heartbeat on gcn.heartbeat came 31 s ago: the connection may be deaf"]
    heartbeat.beat()
    assert heartbeat.alarms() == []


def test_a_heartbeat_that_never_came_is_an_alarm_too() -> None:
    heartbeat, clock = made()
    listen(heartbeat, clock, 100)
    assert heartbeat.alarms() == [], "there is no connection yet"
    heartbeat.expect()
    listen(heartbeat, clock, 31)
    assert heartbeat.alarms() == ["no heartbeat has come on gcn.heartbeat in 31 s: the connection may be deaf"]


def test_time_in_which_the_hub_did_something_else_is_no_silence() -> None:
    heartbeat, clock = made()
    heartbeat.expect()
    heartbeat.beat()
    for _ in range(10):
        clock.now += 60
        listen(heartbeat, clock, 1)
    assert heartbeat.alarms() == []
    assert heartbeat.facts() == {"heartbeat_age_s": 10}


def test_a_connection_that_was_heard_and_fell_silent_is_given_up_once() -> None:
    heartbeat, clock = made()
    heartbeat.expect()
    heartbeat.beat()
    listen(heartbeat, clock, 299)
    assert not heartbeat.is_deaf()
    listen(heartbeat, clock, 2)
    assert heartbeat.is_deaf()
    anew, clock = made()
    anew.expect()
    listen(anew, clock, 10_000)
    assert not anew.is_deaf(), "a new connection that hears nothing either is an alarm only"


def test_the_alarm_comes_while_the_hub_still_waits_for_a_message() -> None:
    heartbeat, clock = made()
    heartbeat.expect()
    with heartbeat.listening():
        clock.now += 40
        assert heartbeat.alarms()
        heartbeat.beat()
        clock.now += 5
        assert heartbeat.facts() == {"heartbeat_age_s": 5}
