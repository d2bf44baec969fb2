from time import monotonic

import pytest
from confluent_kafka import KafkaError

from adapters.transports.kafka.link import Link


@pytest.mark.parametrize("name", ["bootstrap_servers", "security"])
def test_brokers_that_do_not_answer_name_the_settings_to_look_at(name) -> None:
    link = Link(monotonic, str)
    link.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    (alarm,) = link.alarms()
    assert name in alarm


def test_a_refused_token_sends_nobody_to_look_at_a_password() -> None:
    error = KafkaError(KafkaError._AUTHENTICATION, "refused")
    with_token, with_password = Link(monotonic, str, has_token=True), Link(monotonic, str)
    for link in (with_token, with_password):
        link.on_error(error)
    assert "client_id" in with_token.alarms()[0]
    assert "password" not in with_token.alarms()[0]
    assert "password" in with_password.alarms()[0]
