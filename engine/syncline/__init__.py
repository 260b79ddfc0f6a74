"""A declarative integration engine run by Git."""

__version__ = "0.1.0"
