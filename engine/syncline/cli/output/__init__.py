"""One file a view: a value in, text out. Views decide nothing, read no state and open no files but for excerpts."""
