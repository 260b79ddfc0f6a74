"""Policy rules, one file each."""
