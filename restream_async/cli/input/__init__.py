"""Reading the restreams of a file or of standard input."""
