"""A thousand clients of one service, in simulated time: what they do together."""
