"""The table of what is private by itself: other tables are in `hub.storage.tables`."""

from sqlmodel import Field

from hub.storage.tables import Base


class PrivateThingRow(Base, table=True):
    """That a request, a decision or a pointing is private to a group."""

    __tablename__ = "private_things"

    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    group_name: str
