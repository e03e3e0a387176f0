"""A service that gets more than it can take: how soon all is done, and what it has to bear."""
