"""The web console over the workflow: nothing here yet."""
