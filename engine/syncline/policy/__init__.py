"""Policy: one evaluator at the editor, pull request, plan, apply and run.

Rules are files in `rules/`; `check.py` walks them.
"""
