"""The measured process: `python -m benchmarks.cost.measured NAME COUNT BASE_URL`."""

import asyncio
import sys

from benchmarks.cost.clients import ALL
from benchmarks.service import Address


def main(name: str, count: int, base_url: str) -> None:
    [client] = [client for client in ALL if client.name == name]
    address = Address(
        base_url=base_url, gcore_url=f"{base_url}/gcore", project_id="p1", api_key="key"
    )
    asyncio.run(client.run(address, count))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
