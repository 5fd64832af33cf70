"""An agent that opens WebSockets with PyPI's websockets.

    websocket_agent.py WHAT URL TOKEN AGENT

WHAT is echo, masked, trusted, busy or hold; see the functions. Ends with an error where something is not as it should be.
"""
import asyncio, json, os, sys, time
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

WHAT, URL, TOKEN, AGENT = sys.argv[1:5]
HEADERS = {"Authorization": f"Bearer {TOKEN}", "X-ATH-Agent-ID": AGENT, "Cookie": "a=b", "Accept-Language": "kept"}
CANARY = os.environ.get("CANARY", "CANARY-")


def opened(path="", **more):
    return connect(URL + path, additional_headers=HEADERS, max_size=None, ping_interval=None, open_timeout=20, **more)


async def echo():
    """Messages of every kind and size, both ways, and how a socket ends."""
    async with opened(subprotocols=["other", "chat.v2"]) as socket:
        assert socket.subprotocol == "chat.v2", socket.subprotocol
        assert socket.response.headers.get("Sec-WebSocket-Extensions") is None
        large = os.urandom(1 << 20)
        for message in ["", "hello", "grüße", b"", b"\x00\xff", "x" * 125, "x" * 126, b"y" * 65535, b"y" * 65536, large]:
            await socket.send(message)
            assert await socket.recv() == message, len(message)
        await socket.send(["one ", "", "two ", "three"], text=True)
        assert await socket.recv() == "one two three"
        await socket.send([large[:70000], large[70000:]])
        assert await socket.recv() == large
        await (await socket.ping(b"to the service"))
        await socket.send("!ping")
        assert await socket.recv() == "pong came"
        await socket.send("!headers")
        seen = json.loads(await socket.recv())
        values = lambda name: [value for key, value in seen["headers"] if key == name]
        assert seen["path"].endswith("?x=1&y=%20"), seen
        assert values("authorization")[0].startswith("Bearer ****") and len(values("authorization")) == 1
        assert values("accept-language") == ["kept"] and values("cookie") == [] and values("x-ath-agent-id") == []
        assert values("sec-websocket-version") == ["13"] and len(values("sec-websocket-key")) == 1
        assert values("sec-websocket-key") != [socket.request.headers["Sec-WebSocket-Key"]]
        assert values("sec-websocket-extensions") == [], seen
    assert socket.close_code == 1000, socket.close_code
    async with opened("&closes=agent") as socket:
        await socket.close(4001, "the agent goes")
    async with opened("&closes=service") as socket:
        await socket.send("!close 4002 the service goes")
        try:
            await socket.recv()
            raise AssertionError("no close")
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4002, "the service goes"), closed


async def masked():
    """The credential, said in every way."""
    async with opened() as socket:
        for how in ["text", "binary", "fragments", "bytes", "around-a-ping"]:
            await socket.send(f"!token {how}")
            said = await asyncio.wait_for(socket.recv(), 10)
            said = said.decode() if isinstance(said, bytes) else said
            assert CANARY not in said and "****" in said, (how, said)
        await socket.send("!token beginning")
        beginning = await asyncio.wait_for(socket.recv(), 10)
        assert "*" not in beginning and len(beginning) > 20, "what only begins like it passes whole"
        await socket.send("!token ping")
        said = await asyncio.wait_for(socket.recv(), 10)
        assert said == "pinged", said
    async with opened() as socket:
        await socket.send("!token close")
        try:
            await socket.recv()
            raise AssertionError("no close")
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 4000 and CANARY not in closed.rcvd.reason and "****" in closed.rcvd.reason


async def trusted():
    """With trust, frames pass as they are, and may be compressed."""
    async with opened() as socket:
        assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
        for message in ["hello " * 1000, b"\x00" * 100000]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send("!token text")
        assert CANARY in await socket.recv()
        await socket.send(["one ", "two " * 1000], text=True)
        assert await socket.recv() == "one " + "two " * 1000


async def busy():
    """Ten thousand messages each way at once, in order."""
    count = 10000
    async with opened() as socket:
        async def send():
            for number in range(count):
                await socket.send(str(number))
        sending = asyncio.create_task(send())
        for number in range(count):
            assert await socket.recv() == str(number)
        await sending
        await socket.send(f"!count {count}")
        for number in range(count):
            assert await socket.recv() == str(number)


async def hold():
    """Says OPEN, and how it ended."""
    async with opened() as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        print("OPEN", flush=True)
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            reason = closed.rcvd.reason if closed.rcvd else ""
            print(json.dumps({"code": code, "reason": reason}), flush=True)


asyncio.run(globals()[WHAT]())
print("done", flush=True)
