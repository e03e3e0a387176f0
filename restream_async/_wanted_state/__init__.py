"""Private: the wanted state: its difference from what the service has, and how that is removed."""
