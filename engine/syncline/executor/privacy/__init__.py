"""Requests about a person: where there is data of them, exporting and erasing it."""
