"""An API over WebSocket: PyPI's websockets as a server.

    websocket_server.py PORT [CERTIFICATE KEY]

Echoes whatever it is sent, in the same kind of message. A text message that begins with "!" asks for more: !token says the credential of the
handshake, whole or in pieces; !headers says what came with the handshake; !close CODE REASON ends it; !ping asks for a pong first; !count N sends
so many messages. Prints READY when it listens, and a line of JSON for each socket that has ended.
"""
import asyncio, json, ssl, sys
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def token(socket, how):
    credential = socket.request.headers["Authorization"]
    half = len(credential) // 2
    if how == "binary":
        await socket.send(credential.encode())
    elif how == "fragments":
        await socket.send([credential[:half], "", credential[half:]], text=True)
    elif how == "bytes":
        await socket.send(list("<" + credential + ">"), text=True)
    elif how == "around-a-ping":
        async def pieces():
            yield "a" + credential[:half]
            await (await socket.ping(b"between"))
            yield credential[half:] + "z"
        await socket.send(pieces(), text=True)
    elif how == "ping":
        # What comes back is another payload, since this one is masked: no pong is waited for.
        await socket.ping(credential.encode())
        await socket.send("pinged")
    elif how == "beginning":
        await socket.send(credential[:-1])
    elif how == "close":
        await socket.close(4000, credential)
    else:
        await socket.send(credential)


async def talk(socket):
    try:
        async for message in socket:
            words = message.split(" ", 2) if isinstance(message, str) and message.startswith("!") else [""]
            if words[0] == "!token":
                await token(socket, words[1] if len(words) > 1 else "text")
            elif words[0] == "!headers":
                pairs = [[name.lower(), value] for name, value in socket.request.headers.raw_items()]
                await socket.send(json.dumps({"path": socket.request.path, "headers": pairs}))
            elif words[0] == "!close":
                await socket.close(int(words[1]), words[2])
            elif words[0] == "!ping":
                await (await socket.ping(b"are you there"))
                await socket.send("pong came")
            elif words[0] == "!count":
                for number in range(int(words[1])):
                    await socket.send(str(number))
            else:
                await socket.send(message)
    except ConnectionClosed:
        pass
    finally:
        print(json.dumps({"path": socket.request.path, "code": socket.close_code, "reason": socket.close_reason}), flush=True)


def chosen(socket, offered):
    return "chat.v2" if "chat.v2" in offered else None


async def main(port, certificate=None, key=None):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # It would speak HTTP/2 to whoever offers it, and then know of no WebSocket.
        context.set_alpn_protocols(["h2", "http/1.1"])
    async with serve(talk, "127.0.0.1", int(port), ssl=context, max_size=None, select_subprotocol=chosen, ping_interval=None, close_timeout=3):
        print("READY", flush=True)
        await asyncio.Future()


asyncio.run(main(*sys.argv[1:]))
