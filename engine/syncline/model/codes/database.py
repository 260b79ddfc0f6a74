"""Codes of findings about databases that are read and written (SYN480 to SYN491, SYN546 to SYN550)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN546",
        "no such table stream",
        "The integration doesn't declare a stream of this name, or its table or a column of it isn't there.",
        "Add it under `spec.tables` of the Integration, or correct the name.",
    ),
    Code(
        "SYN547",
        "table can't be read in order",
        "Rows are read in the order of a key, so that a run can go on where it was. The key is missing, names two rows "
        "or is null, or the cursor is.",
        "Declare `key` with columns that identify a row; where they may be null, read a query that replaces null.",
        bad="tables: {orders: {query: SELECT * FROM orders_by_day}}",
        good="tables: {orders: {query: SELECT * FROM orders_by_day, key: [day, shop]}}",
    ),
    Code(
        "SYN548",
        "column can't be read as declared",
        "A column's type has no counterpart, or isn't the one that the stream's schema declares.",
        "Correct the declared schema, leave the column out of it, or read a query that converts it.",
    ),
    Code(
        "SYN549",
        "rows can't be compared",
        "Rows are compared by key with those of a database, a written folder or an API: this flow's have none, or its "
        "destination can't be read back.",
        "Compare a flow that upserts, or replaces rows with a key, in a database, a folder or an API.",
    ),
    Code(
        "SYN550",
        "query isn't one SELECT",
        "A declared query is several statements, or the database doesn't understand it. None of it was run: a reading "
        "never writes.",
        "Declare one SELECT that can stand in parentheses, without a semicolon at its end.",
        bad="tables: {orders: {query: SELECT * FROM orders; DELETE FROM orders, key: [id]}}",
        good="tables: {orders: {query: SELECT * FROM orders, key: [id]}}",
    ),
    Code(
        "SYN480",
        "database can't be reached",
        "The database server doesn't answer, or the connection to it was lost. Nothing is half-written.",
        "Check host, port and network, and run again: a run goes on after its last commit.",
    ),
    Code(
        "SYN481",
        "unusable setting of a database",
        "An integration of the `sql` runtime has a path, URL or schema that can't be used.",
        "Give `path` for SQLite or DuckDB, or `url` without user and password for PostgreSQL or MariaDB.",
        bad="config: {url: postgresql://etl:secret@db.example:5432/warehouse}",
        good="auth: warehouse-login\nconfig: {url: postgresql://db.example:5432/warehouse, schema: crm}",
    ),
    Code(
        "SYN482",
        "database refuses access",
        "User, password, database, certificate, privilege or file permission is not right.",
        "Correct the AuthConfig, or grant what the message names.",
    ),
    Code(
        "SYN483",
        "name that the database can't hold",
        "A table or column name is too long, reserved or empty, or differs from another in ignored case only.",
        "Choose another name. PostgreSQL has 63 bytes for it, 49 where the table is replaced.",
    ),
    Code(
        "SYN484",
        "column type can't hold the declared type",
        "The table has the column, but with a type that would change or refuse values of the declared one. Of columns "
        "such as `varchar(50)` or `smallint`, single values that they can't hold are rejects instead.",
        "Alter the column by hand, declare a narrower type, or write to another table. Nothing is converted.",
    ),
    Code(
        "SYN485",
        "value that the database can't hold",
        "The type is right, but the database has no such value: NUL in text, NaN in SQLite, the year 10000.",
        "Let the mapping reject or replace such values.",
    ),
    Code(
        "SYN486",
        "table doesn't fit",
        "A key, a constraint or a view of the table stands against what is to be written. Single rows that it stands "
        "against are rejects (rule `constraint`) in PostgreSQL, MariaDB and SQLite, and the others are written; a run "
        "ends where these are too many of one batch to be named, and in DuckDB.",
        "Change the table by hand, write to another one, or correct the mapping.",
    ),
    Code(
        "SYN487",
        "replaced table would shrink too much",
        "The new content has so much fewer rows than the old that the guard keeps the old.",
        "Check the source; raise the guard of the sync if the loss is meant.",
    ),
    Code(
        "SYN488",
        "database is busy",
        "A lock, a deadlock or a cancelled statement stopped the write. Nothing is half-written.",
        "Run again: a run goes on after its last commit.",
    ),
    Code(
        "SYN489",
        "table is being replaced by another run",
        "Two runs gather new content for one table. The later one has taken over.",
        "Let one flow replace a table, or run them one after another.",
    ),
    Code(
        "SYN490",
        "damaged database file",
        "The file isn't a database of SQLite or DuckDB, or is damaged.",
        "Correct `path`, or restore the file from a backup.",
    ),
    Code(
        "SYN491",
        "database refuses a statement",
        "The database failed in a way that Syncline doesn't know.",
        "Look at the message and at the server's log.",
    ),
)
