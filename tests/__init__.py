"""Tests: `unit` mirrors the package; `golden`, `contract`, `property`, `e2e` and `peers` go across it."""
