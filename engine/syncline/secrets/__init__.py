"""Secret providers, one file each."""
