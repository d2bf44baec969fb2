"""What Kafka's error codes mean to the hub.

Codes that begin with an underscore are librdkafka's own, the others are the broker's; both are public constants of the client.
"""

import re

from confluent_kafka import KafkaError

from hub.errors import sentence_of

REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - public constants of the client, named so
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
"""Somebody must change credentials, rights or names."""

NO_MEMBER = frozenset(
    {KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.FENCED_INSTANCE_ID, KafkaError.INCONSISTENT_GROUP_PROTOCOL}
)
"""The hub cannot be a member of the group as things are."""

NOT_COMMITTED = frozenset(
    {
        KafkaError._NO_OFFSET,  # noqa: SLF001 - as above
        KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001 - as above
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)
"""The group is being dealt out anew: the place was not kept, so the messages come again, to whomever."""

TOPIC_MISSING = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - as above
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - as above
        KafkaError.TOPIC_EXCEPTION,
    }
)
"""There is no such topic, as far as this user may know."""

OUT_OF_RANGE = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - as above
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError._LOG_TRUNCATION,  # noqa: SLF001 - as above
    }
)
"""The place in a partition does not exist any more."""

UNWELCOME = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
    }
)
"""The broker will never take this very message, whatever is mended."""

AWAY = "no broker can be reached: look at bootstrap_servers, and at security: tls and plaintext do not understand one another"
"""The sentence for brokers of which none answers."""

_TOKEN = "SASL OAUTHBEARER token"  # noqa: S105 - words of librdkafka, no secret
_TOKEN_REFUSED = re.compile(
    r"invalid_(client|grant|scope|request)|unauthori[sz]ed|access_denied|forbidden|\b40[0-4]\b", re.IGNORECASE
)
"""What a token endpoint says when it is the client that is wrong (RFC 6749, section 5.2), and not the endpoint."""


def is_refusal(error: KafkaError) -> bool:
    """Return whether an error says that credentials or rights are refused; a token endpoint that is away refuses nothing."""
    if error.code() not in REFUSED:
        return False
    text = error.str()
    return _TOKEN not in text or bool(_TOKEN_REFUSED.search(text))


def sentence(error: KafkaError, *, has_token: bool = False) -> str:
    """Return what is wrong and, where it is known, what to do about it; who shows a token has no password to look at."""
    code, text = error.code(), sentence_of(error.str())
    if _TOKEN in text:
        said = text.partition(f"{_TOKEN}: ")[2] or text
        if is_refusal(error):
            return f"the token endpoint refuses the client id and secret: {said}; look at client_id and client_secret"
        if "unexpired" in said:
            return f"the token endpoint hands out tokens that have expired; look at this machine's clock: {said}"
        return f"the token endpoint cannot be had: {said}"
    if has_token and code in _CREDENTIALS:
        return f"the broker refuses the credentials, here a token: look at client_id, client_secret, token_url and scope ({text})"
    known = _SENTENCES.get(code)
    return f"{known} ({text})" if known else text


_CREDENTIALS = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - as above
        KafkaError.SASL_AUTHENTICATION_FAILED,
    }
)

_SENTENCES: dict[int, str] = {
    KafkaError._AUTHENTICATION: "the broker refuses the credentials: look at sasl, username and password",  # noqa: SLF001 - as above
    KafkaError.SASL_AUTHENTICATION_FAILED: "the broker refuses the credentials: look at username and password",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "the broker does not know this way of saying who one is: look at sasl",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "this user may not use this consumer group: look at group_id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "this user may not do that on the cluster",
    KafkaError.FENCED_INSTANCE_ID: "another process has the same group_instance_id",
    KafkaError._ALL_BROKERS_DOWN: AWAY,  # noqa: SLF001 - as above
    KafkaError._RESOLVE: "the broker's name is not known: look at bootstrap_servers",  # noqa: SLF001 - as above
    KafkaError._SSL: "the encrypted connection fails: look at security and ca_file",  # noqa: SLF001 - as above
    KafkaError._MAX_POLL_EXCEEDED: "the hub took nothing for so long that the group went on without it",  # noqa: SLF001 - as above
}
