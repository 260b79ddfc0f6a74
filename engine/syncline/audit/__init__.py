"""The append-only log: tree and checkpoint are pure, log and signer keep it, verify proves it."""
