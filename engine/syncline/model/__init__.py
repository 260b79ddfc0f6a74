"""The vocabulary of Syncline: frozen values that every layer speaks in. No I/O, no heavy imports."""
