"""The `smtp` runtime: messages of subscriptions as e-mail."""
