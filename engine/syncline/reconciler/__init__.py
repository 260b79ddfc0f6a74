"""One pass from desired to actual."""
