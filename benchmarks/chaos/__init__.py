"""The same creations through the same faults: what is stored, and what each client says of it."""
