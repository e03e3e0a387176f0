"""A process that creates one restream: `python -m … BASE_URL LOOP FILE_WITH_AUTHORITY`."""

import asyncio
import ssl
import sys

from restream_async import RestreamClient
from tests.helpers.samples import API_KEY, new_restream


async def _create(base_url: str, ca: str) -> None:
    context = ssl.create_default_context(cafile=ca)
    async with RestreamClient(
        base_url=base_url, project_id="p1", api_key=API_KEY, ssl=context
    ) as client:
        await client.create(new_restream())


if __name__ == "__main__":
    _, to, loop, authority = sys.argv
    if loop == "uvloop":
        import uvloop

        uvloop.run(_create(to, authority))
    else:
        asyncio.run(_create(to, authority))
