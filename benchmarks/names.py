"""The names of contestants in tables, plots and figures."""

from typing import Final

OURS: Final = "restream-async"
BARE: Final = "bare aiohttp"
TENACITY: Final = "aiohttp + tenacity"
