"""Manifest kinds, one file each."""
