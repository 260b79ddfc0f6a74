"""Who may do what with a tenant, and whether its flows may run now."""
