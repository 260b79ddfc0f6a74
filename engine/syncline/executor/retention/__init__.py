"""What is deleted because its time is over: rows, images of rows, tables of flows that are retired."""
