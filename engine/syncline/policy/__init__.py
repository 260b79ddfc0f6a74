"""Rules and the one evaluator that runs them."""
