"""A Git repository as the source of what is desired: fetched, checked, taken out as plain files."""
