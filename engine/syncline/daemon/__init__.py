"""Passes for ever (repository, loop, schedule): nothing here yet."""
