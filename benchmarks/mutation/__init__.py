"""Small faults put into the package, to see which of them the tests catch."""
