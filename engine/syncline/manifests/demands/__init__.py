"""What is demanded of manifests beyond their models, a subject in each file."""
