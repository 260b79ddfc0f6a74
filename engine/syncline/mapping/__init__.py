"""Mappings compiled to column expressions."""
