"""Plots for the README: bars and lines on one kind of page."""
