"""The HTTP API over the workflow: nothing here yet."""
