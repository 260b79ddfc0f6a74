"""The planner: desired and observed in, a plan out. Pure: no file, network or database is touched here."""
