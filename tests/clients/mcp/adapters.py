"""langchain-mcp-adapters of PyPI, unmodified, with mcp 1.x: the tools as LangChain's agents get them.

adapters.py URL
"""

import asyncio

from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientMetadata
from puppet import Callback, Kept, obey, opens, told


async def main():
    url, _ = told()
    callback = Callback()

    async def comes_back():
        back = await callback.next()
        return back["code"], back.get("state")

    provider = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="Puppet", redirect_uris=[callback.redirect_uri], token_endpoint_auth_method="none",
            grant_types=["authorization_code", "refresh_token"], response_types=["code"],
        ),
        storage=Kept(), redirect_handler=opens, callback_handler=comes_back,
    )
    client = MultiServerMCPClient({"gateway": {"transport": "streamable_http", "url": url, "auth": provider}})
    tools = {}

    async def connect():
        tools.update({tool.name: tool for tool in await client.get_tools()})
        return {}

    async def listed():
        listed = await client.get_tools()
        return [{"name": tool.name, "description": tool.description, "inputSchema": tool.args_schema} for tool in listed]

    async def call(name, arguments):
        message = await tools[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
        content = message.content if isinstance(message.content, list) else [{"type": "text", "text": message.content}]
        artifact = message.artifact or {}
        return {"isError": message.status == "error", "content": content, **({"structuredContent": artifact["structured_content"]} if "structured_content" in artifact else {})}

    async def was_asked():
        return []

    await obey({"connect": connect, "list": listed, "call": call, "asked": was_asked})


asyncio.run(main())
