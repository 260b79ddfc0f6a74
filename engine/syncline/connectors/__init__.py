"""Connector runtimes, one file each."""
