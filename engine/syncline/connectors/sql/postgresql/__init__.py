"""PostgreSQL, as the `sql` runtime reads and writes it."""
