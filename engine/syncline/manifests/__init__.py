"""YAML in with positions, references resolved, schemas and formatting out."""
