"""Private: redaction, the clock, tasks, and checks of texts and URLs."""
