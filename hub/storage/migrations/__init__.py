"""Revisions of the schema, and the environment that alembic runs them in; `hub.storage.schema` drives it."""
