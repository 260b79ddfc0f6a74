"""What is really there against what was left there: tables, rows, keys, schedules, webhooks."""
