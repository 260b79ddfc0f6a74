"""Policy: one evaluator at pull request, plan, apply and run. Rules are files in `rules/`; `check.py` walks them."""
