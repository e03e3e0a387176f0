"""Private: HTTP. Requests out, answers in."""
