"""The `file` runtime: streams of CSV, JSON Lines and Parquet files, read and written."""
