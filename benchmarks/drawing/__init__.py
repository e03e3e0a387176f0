"""Plots for README.md: bars and lines on one kind of page."""
