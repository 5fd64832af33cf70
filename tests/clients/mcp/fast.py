"""fastmcp of PyPI, unmodified, with the login that it brings along: it opens the browser itself.

fast.py URL [--era legacy|auto]
"""

import asyncio
import contextlib

from fastmcp import Client
from puppet import obey, plain, told


async def main():
    url, options = told()
    async with contextlib.AsyncExitStack() as stack:
        client = Client(url, auth="oauth", mode=options.get("era", "auto"))

        async def connect():
            await stack.enter_async_context(client)
            return {}

        async def listed():
            return [plain(tool) for tool in await client.list_tools()]

        async def call(name, arguments):
            return plain(await client.call_tool_mcp(name, arguments))

        async def was_asked():
            return []

        await obey({"connect": connect, "list": listed, "call": call, "asked": was_asked})


asyncio.run(main())
