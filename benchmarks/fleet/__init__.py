"""A thousand clients of one service, in simulated time: what each learns, and what all of them do."""
