"""What a run would do, told without writing: previews, rehearsals, forecasts, comparisons and reports."""
