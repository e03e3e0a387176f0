"""Private: how much load the service gets. The concurrency limiter and what it learns from."""
