"""Private: what an answer means, and whether and when a call is sent again."""
