"""The life of a tenant: what it still lacks, its certificate, what is exported and deleted when it leaves.

Manifests are changed in Git and nowhere else: what is here looks, tries, and takes away what was retired.
"""
