"""Batches, from being read to being committed: mapped, checked, guarded, kept in order."""
