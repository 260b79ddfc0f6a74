"""Processes of a daemon that do its runs, and what they say to each other."""
