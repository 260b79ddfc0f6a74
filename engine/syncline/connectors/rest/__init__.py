"""The `rest` runtime: records of HTTP APIs with JSON answers, as a Connector declares them."""
