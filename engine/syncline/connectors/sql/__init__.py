"""The `sql` runtime: destinations SQLite and PostgreSQL. What they share is here once; what differs is a `Database`."""
