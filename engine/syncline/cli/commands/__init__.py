"""One file a command or a group of commands. They read arguments, call the workflow, and hand its values to a view."""
