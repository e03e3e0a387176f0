"""Private: a picture of a run, as one HTML file."""
