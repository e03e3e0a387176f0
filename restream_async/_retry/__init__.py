"""Private: what a response means, and whether and when a call is sent again."""
