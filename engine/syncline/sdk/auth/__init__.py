"""How requests are authenticated."""
