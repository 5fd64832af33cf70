# A gRPC server of plain bytes, without generated code.
#
#     grpc_server.py PORT [CERTIFICATE KEY]
#
# Prints READY when it listens, and then a line for each event that a test may want to know of.
import sys
import threading
import time
from concurrent import futures

import grpc

CREDENTIAL = "authorization"


def say(line):
    print(line, flush=True)


def metadata(context):
    return {key: value for key, value in context.invocation_metadata()}


def unary(request, context):
    seen = metadata(context)
    context.set_trailing_metadata((("x-length", str(len(request))), ("x-echo", seen.get(CREDENTIAL, "-")), ("x-own-bin", b"\x00\xff")))
    context.send_initial_metadata((("x-te", seen.get("te", "-")), ("x-deadline", str(context.time_remaining() or "none"))))
    return request


def fail(request, context):
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 50 % of é")


def down(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def forever(request, context):
    ended = threading.Event()
    context.add_callback(ended.set)
    yield b"begun"
    say("STREAMING")
    if ended.wait(20):
        say("CANCELLED")


def large(request, context):
    piece = b"x" * (1 << 20)
    for number in range(int(request)):
        yield piece
        say(f"SENT {number}")


def up(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def both(requests, context):
    for request in requests:
        yield request.upper()


def hang(request, context):
    say(f"REMAINING {context.time_remaining():.1f}")
    time.sleep(3)
    return b"late"


def secret(request, context):
    return metadata(context).get(CREDENTIAL, "").encode()


def refuse(request, context):
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "not this token")


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Hang": grpc.unary_unary_rpc_method_handler(hang),
    "Secret": grpc.unary_unary_rpc_method_handler(secret),
    "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
    "Down": grpc.unary_stream_rpc_method_handler(down),
    "Forever": grpc.unary_stream_rpc_method_handler(forever),
    "Large": grpc.unary_stream_rpc_method_handler(large),
    "Up": grpc.stream_unary_rpc_method_handler(up),
    "Both": grpc.stream_stream_rpc_method_handler(both),
}

OPTIONS = [
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.max_concurrent_streams", 50),
]
server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=OPTIONS)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", METHODS),))
address = f"127.0.0.1:{sys.argv[1]}"
if len(sys.argv) > 2:
    with open(sys.argv[2], "rb") as certificate, open(sys.argv[3], "rb") as key:
        server.add_secure_port(address, grpc.ssl_server_credentials([(key.read(), certificate.read())]))
else:
    server.add_insecure_port(address)
server.start()
say("READY")
server.wait_for_termination()
