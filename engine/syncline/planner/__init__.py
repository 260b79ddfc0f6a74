"""Desired and observed to a plan: pure."""
