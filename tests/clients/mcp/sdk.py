"""mcp 2.x of PyPI, unmodified: revision 2026-07-28, or those before.

sdk.py URL [--era legacy|auto|2026-07-28] [--elicitation accept|decline|cancel]
"""

import asyncio
import contextlib

from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from mcp_types import ElicitResult
from puppet import Callback, Kept, obey, opens, plain, told


async def main():
    url, options = told()
    callback, asked = Callback(), []

    async def comes_back():
        back = await callback.next()
        return AuthorizationCodeResult(code=back["code"], state=back.get("state"), iss=back.get("iss"))

    async def elicited(_, params):
        asked.append(plain(params))
        if options["elicitation"] == "accept":
            await opens(params.url)
        return ElicitResult(action=options["elicitation"])

    provider = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="Puppet", redirect_uris=[callback.redirect_uri], token_endpoint_auth_method="none",
            grant_types=["authorization_code", "refresh_token"], response_types=["code"],
        ),
        storage=Kept(), redirect_handler=opens, callback_handler=comes_back,
    )
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(create_mcp_http_client(auth=provider))
        elicitation = {"elicitation_callback": elicited} if "elicitation" in options else {}
        client = Client(streamable_http_client(url, http_client=http), mode=options.get("era", "auto"), **elicitation)

        async def connect():
            await stack.enter_async_context(client)
            return {"protocol": client.protocol_version, "instructions": client.instructions}

        async def listed():
            return [plain(tool) for tool in (await client.list_tools()).tools]

        async def call(name, arguments):
            return plain(await client.call_tool(name, arguments))

        async def was_asked():
            return asked

        await obey({"connect": connect, "list": listed, "call": call, "asked": was_asked})


asyncio.run(main())
