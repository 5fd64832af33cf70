"""A wiki as an MCP server, by mcp 2.x of PyPI as it comes: with an authorization server of its own, whose tokens alone it takes; or without.

wiki.py PORT CALLBACK [open]

Whoever is sent to its authorization server is another person each time, until `/control/same`, and agrees at once. `/control/...` is the
test's.
"""

import asyncio
import json
import os
import secrets
import sys
import time

import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, AuthorizationCode, RefreshToken, construct_redirect_uri
from mcp.server.auth.settings import AuthSettings, RevocationOptions
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.responses import JSONResponse

port, callback, *modes = sys.argv[1:]
issuer = f"http://127.0.0.1:{port}"
resource = f"{issuer}/mcp"
canary = os.environ["CANARY"]


class Desk:
    """The authorization server's memory."""

    def __init__(self):
        self.client = OAuthClientInformationFull(
            client_id="gateway", redirect_uris=[callback], token_endpoint_auth_method="none", scope="wiki",
            grant_types=["authorization_code", "refresh_token"], response_types=["code"],
        )
        self.codes, self.access, self.refresh, self.people, self.resources, self.strangers = {}, {}, {}, 0, [], 1

    async def get_client(self, client_id):
        return self.client if client_id == "gateway" else None

    async def authorize(self, client, params):
        self.people += self.strangers
        self.resources.append(params.resource)
        code = AuthorizationCode(
            code=secrets.token_urlsafe(24), scopes=params.scopes or ["wiki"], expires_at=time.time() + 60, client_id=client.client_id,
            code_challenge=params.code_challenge, redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly, resource=params.resource,
            subject=f"person-{self.people}",
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, client, code):
        return self.codes.get(code)

    async def exchange_authorization_code(self, client, code):
        del self.codes[code.code]
        return self.issue(code)

    async def load_refresh_token(self, client, token):
        return self.refresh.get(token)

    async def exchange_refresh_token(self, client, token, scopes):
        del self.refresh[token.token]
        return self.issue(token)

    async def load_access_token(self, token):
        return self.access.get(token)

    async def revoke_token(self, token):
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)

    def issue(self, by):
        access, refresh = (f"{canary}{kind}-{secrets.token_urlsafe(24)}" for kind in ("at", "rt"))
        about = {"client_id": by.client_id, "scopes": by.scopes, "resource": by.resource, "subject": by.subject}
        self.access[access] = AccessToken(token=access, **about)
        self.refresh[refresh] = RefreshToken(token=refresh, **about)
        return OAuthToken(access_token=access, expires_in=3600, scope=" ".join(by.scopes), refresh_token=refresh)


desk, steps, seen, running = Desk(), asyncio.Queue(), [], []
auth = {} if "open" in modes else {
    "auth_server_provider": desk,
    "auth": AuthSettings(
        issuer_url=issuer, resource_server_url=resource, required_scopes=["wiki"], validate_token_resource=True,
        revocation_options=RevocationOptions(enabled=True),
    ),
}
wiki = MCPServer("wiki", instructions="A wiki.", log_level="ERROR", **auth)


@wiki.tool()
async def whoami() -> str:
    """Who the server takes the caller for, by the token."""
    token = get_access_token()
    return token.subject if token else "nobody"


@wiki.tool()
async def read_page(title: str) -> str:
    """The text of a page."""
    return f"All about {title}."


@wiki.tool()
async def write_page(title: str) -> str:
    """Writes a page."""
    seen.append({"wrote": title})
    return "written"


@wiki.tool()
async def read_token() -> str:
    """What no server should say: the token that it was called with."""
    return f"It was {get_access_token().token} all along."


@wiki.tool()
async def read_slowly(pages: int, ctx: Context) -> str:
    """Tells how far it is, each time that it is let go on."""
    running.append("begun")
    try:
        for page in range(pages):
            await ctx.report_progress(page + 1, pages, f"page {page + 1}")
            await steps.get()
        return "read"
    finally:
        running.append("ended")


@wiki.custom_route("/control/{deed}", methods=["POST"])
async def control(request):
    deed = request.path_params["deed"]
    if deed == "step":
        steps.put_nowait(None)
    elif deed == "same":
        desk.strangers = 0
    elif deed == "expire":
        desk.access.clear()
    elif deed == "revoke":
        desk.access.clear()
        desk.refresh.clear()
    return JSONResponse({"seen": seen, "running": running, "people": desk.people, "resources": desk.resources})


app = wiki.streamable_http_app()


async def watched(scope, receive, send):
    """Notes what came to the door, but for the credential's secret part."""
    if scope["type"] == "http" and scope["path"] == "/mcp":
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        headers["authorization"] = headers.get("authorization", "").replace(canary, "")[:10]
        seen.append({"method": scope["method"], "headers": headers})
    await app(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(watched, host="127.0.0.1", port=int(port), log_level="warning", lifespan="on", timeout_graceful_shutdown=1)
