"""SQLAlchemy Core on SQLite and PostgreSQL: engine, tables, the batch, the group writer."""

from __future__ import annotations
