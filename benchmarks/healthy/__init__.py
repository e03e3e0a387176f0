"""A service that has room: whether a run is as fast as with a fixed 64 requests in flight."""
