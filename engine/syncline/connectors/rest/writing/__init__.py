"""Writing to an API: what is sent of each record, in which order, and what its answer means."""
