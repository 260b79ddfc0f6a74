"""What a connector sees."""
