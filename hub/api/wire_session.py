"""The shape of a person's session."""

from pydantic import ConfigDict, Field

from hub.api.wire import Wire


class PersonSession(Wire):
    """Who has signed in, what that person may do, and what pages of the session must know."""

    name: str
    groups: list[str]
    scopes: list[str]
    csrf_token: str = Field(description="To be sent as X-CSRF-Token with every request of the session that changes something")
    expires_at: str = Field(description="The session ends then at the latest, and after an hour without a request")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "maria",
                    "groups": ["too"],
                    "scopes": ["followup:approve", "read"],
                    "csrf_token": "6f9c3f0d2b" + "0" * 54,
                    "expires_at": "2026-11-24T04:00:00.000000Z",
                }
            ]
        }
    )
