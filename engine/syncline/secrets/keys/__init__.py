"""The key ring: key-encryption keys and their places, data keys, rotation, and what they seal."""
