"""What runs and applies share: the state, the audit log and its signers, keys, tokens, memory, proxies."""
