"""Flows as they are applied, or were: compiled, their secrets resolved, both ends opened."""
