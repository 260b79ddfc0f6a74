"""One sync or import, end to end."""
