"""Private: HTTP. Requests, responses, and their exchange over aiohttp."""
