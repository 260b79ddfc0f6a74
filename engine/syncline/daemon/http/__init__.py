"""What a daemon is asked over HTTP: health, metrics, pushes of Git servers, webhooks that start runs."""
