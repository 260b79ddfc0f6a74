"""The daemon: follows repositories, applies what they declare, starts what is due, and looks at what is there."""
