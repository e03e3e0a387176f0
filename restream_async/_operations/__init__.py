"""Private: create, list and delete."""
