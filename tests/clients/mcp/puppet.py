"""What the MCP clients in Python have in common: they do what a test tells them, line by line, and send links to a person."""

import asyncio
import http.server
import json
import os
import queue
import sys
import threading
import traceback
import urllib.parse
import urllib.request


def told():
    """The address, and the options behind it: `--name value`."""
    url, *rest = sys.argv[1:]
    return url, {name[2:]: value for name, value in zip(rest[::2], rest[1::2])}


async def opens(link):
    """Sends a link to the person who sits there."""
    without_proxies = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address = f"{os.environ['PERSON']}/?{urllib.parse.urlencode({'link': link})}"
    await asyncio.to_thread(lambda: without_proxies.open(address, timeout=30).read())


class Callback:
    """Where a person's browser comes back to."""

    def __init__(self):
        arrived = self.arrived = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                path, _, query = self.path.partition("?")
                if path == "/callback":
                    arrived.put(dict(urllib.parse.parse_qsl(query)))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.redirect_uri = f"http://127.0.0.1:{self.server.server_port}/callback"

    async def next(self):
        return await asyncio.to_thread(self.arrived.get, timeout=60)


class Kept:
    """What a host keeps of its client's authorization, in the form that the SDK asks for it."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def orders():
    """What comes in, one line after the other, until nothing comes any more."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        yield order.pop("do"), order


async def obey(deeds):
    """Does it, and says what came of it."""
    async for deed, given in orders():
        try:
            said = {"said": await deeds[deed](**given)}
        except BaseException as problem:  # groups of exceptions among them
            said = {"failed": "".join(traceback.format_exception(problem))}
        print(json.dumps(said), flush=True)


def plain(model):
    """As it stood in the message."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
