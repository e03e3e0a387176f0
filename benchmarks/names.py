"""What those who are compared are called, in tables, in plots and in figures."""

from typing import Final

OURS: Final = "restream-async"
BARE: Final = "bare aiohttp"
TENACITY: Final = "aiohttp + tenacity"
