"""Formats of records, read exactly and within bounds: CSV, JSON and XML, packed or not."""
