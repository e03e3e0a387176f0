"""Benchmarks of the library, and of the clients that it is compared with."""
