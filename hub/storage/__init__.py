"""SQL state on SQLite or PostgreSQL."""
