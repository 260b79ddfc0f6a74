"""Evidence for outsiders: attestations, control maps and packs."""
