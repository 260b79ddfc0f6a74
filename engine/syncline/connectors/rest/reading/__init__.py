"""Reading a stream: partitions, pages and cursors, as batches with their positions."""
