"""The ports over SQLAlchemy: tables, migrations, SQLite and PostgreSQL."""
