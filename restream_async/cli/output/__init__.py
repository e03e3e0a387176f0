"""What the command line shows and writes: progress, summaries, outcomes."""
