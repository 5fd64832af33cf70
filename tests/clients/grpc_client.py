# Calls the server of grpc_server.py through the gateway.
#
#     grpc_client.py GATEWAY_PORT HOST TOKEN CASE [CERTIFICATE]
#
# Prints what came of the case; ends with 1 where something is not as it should be.
import concurrent.futures
import sys
import threading
import time

import grpc

port, host, token, case = sys.argv[1:5]
OPTIONS = [
    ("grpc.default_authority", host),
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]
CREDENTIALS = (("authorization", f"Bearer {token}"),)


def channel():
    if len(sys.argv) > 5:
        with open(sys.argv[5], "rb") as certificate:
            credentials = grpc.ssl_channel_credentials(certificate.read())
        return grpc.secure_channel(f"127.0.0.1:{port}", credentials, OPTIONS + [("grpc.ssl_target_name_override", host)])
    return grpc.insecure_channel(f"127.0.0.1:{port}", OPTIONS)


def path(method):
    return f"/test.Echo/{method}"


def refused(call, code):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, (error.code(), error.details())
        return error
    raise AssertionError("it was not refused")


def unary(channel):
    call = channel.unary_unary(path("Unary"))
    answer, call = call.with_call(b"hello", metadata=CREDENTIALS, timeout=20)
    assert answer == b"hello", answer
    first, last = dict(call.initial_metadata()), dict(call.trailing_metadata())
    assert last["x-length"] == "5" and last["x-own-bin"] == b"\x00\xff", last
    assert last["x-echo"].startswith("Bearer ***"), last
    assert 0 < float(first["x-deadline"]) <= 20, first
    print("te", first["x-te"])


def kinds(channel):
    down = channel.unary_stream(path("Down"))(b"1000", metadata=CREDENTIALS, timeout=20)
    assert [int(number) for number in down] == list(range(1000))
    up = channel.stream_unary(path("Up"))((b"x" * 1000 for _ in range(500)), metadata=CREDENTIALS, timeout=20)
    assert up == b"500000", up
    turn = threading.Semaphore(1)

    def asked():
        for number in range(200):
            # The next one leaves only when the last one was answered: neither side waits for an end.
            assert turn.acquire(timeout=10), number
            yield b"a%d" % number

    heard = []
    for answer in channel.stream_stream(path("Both"))(asked(), metadata=CREDENTIALS, timeout=20):
        heard.append(answer)
        turn.release()
    assert heard == [b"A%d" % number for number in range(200)], heard[:3]
    print("kinds", len(heard))


def errors(channel):
    call = channel.unary_unary(path("Fail"))
    error = refused(lambda: call(b"", metadata=CREDENTIALS, timeout=20), grpc.StatusCode.FAILED_PRECONDITION)
    assert error.details() == "not now: 50 % of é", error.details()
    assert dict(error.trailing_metadata())["x-why"] == "because"
    missing = channel.unary_unary(path("Missing"))
    refused(lambda: missing(b"", metadata=CREDENTIALS, timeout=20), grpc.StatusCode.UNIMPLEMENTED)
    call = channel.unary_unary(path("Unary"))
    error = refused(lambda: call(b"", timeout=20), grpc.StatusCode.UNAUTHENTICATED)
    assert "carries no ATH token" in error.details(), error.details()
    assert b"token_missing" in dict(error.trailing_metadata())["ath-error-bin"]
    bad = (("authorization", "Bearer ath_tk_unknown"),)
    refused(lambda: call(b"", metadata=bad, timeout=20), grpc.StatusCode.UNAUTHENTICATED)
    denied = channel.unary_unary("/test.Echo/../Unary")
    refused(lambda: denied(b"", metadata=CREDENTIALS, timeout=20), grpc.StatusCode.INVALID_ARGUMENT)
    own = channel.unary_unary(path("Refuse"))
    error = refused(lambda: own(b"", metadata=CREDENTIALS, timeout=20), grpc.StatusCode.UNAUTHENTICATED)
    assert error.details() == "not this token"
    print("errors")


def deadline(channel):
    call = channel.unary_unary(path("Hang"))
    begun = time.monotonic()
    refused(lambda: call(b"", metadata=CREDENTIALS, timeout=1), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert time.monotonic() - begun < 2
    print("deadline")


def slow(channel):
    call = channel.unary_unary(path("Hang"))
    error = refused(lambda: call(b"", metadata=CREDENTIALS, timeout=20), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert "did not answer in time" in error.details(), error.details()
    print("slow")


def cancel(channel):
    call = channel.unary_stream(path("Forever"))(b"", metadata=CREDENTIALS, timeout=20)
    assert next(call) == b"begun"
    call.cancel()
    try:
        next(call)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.CANCELLED
    # Longer than the test waits for the server to notice.
    time.sleep(0.5)
    print("cancel")


def messages(channel):
    body = bytes(range(256)) * (4 << 12)
    assert len(body) == 4 << 20
    assert channel.unary_unary(path("Unary"))(body, metadata=CREDENTIALS, timeout=60) == body
    print("messages")


def many(channel):
    call = channel.unary_unary(path("Unary"))
    calls = [call.future(b"%d" % number, metadata=CREDENTIALS, timeout=60) for number in range(1000)]
    for number, asked in enumerate(calls):
        assert asked.result() == b"%d" % number
    print("many", len(calls))


def masked(channel):
    answer = channel.unary_unary(path("Secret"))(b"", metadata=CREDENTIALS, timeout=20)
    assert answer.startswith(b"Bearer ****") and b"CANARY" not in answer, answer
    print("masked")


def compressed(channel):
    # The server answers as it is asked; where bodies are guarded, it is not told that anything else than plain is understood.
    call = channel.unary_unary(path("Unary"))
    assert call(b"x" * 10000, metadata=CREDENTIALS, timeout=20, compression=grpc.Compression.NoCompression) == b"x" * 10000
    print("compressed")


def stalled(channel):
    # Nobody takes what comes: it must not gather anywhere.
    call = channel.unary_stream(path("Large"))(b"500", metadata=CREDENTIALS, timeout=60)
    assert len(next(call)) == 1 << 20
    print("STALLED", flush=True)
    sys.stdin.readline()
    call.cancel()


def idle(channel):
    # Says nothing for longer than an answer may take to begin.
    def asked():
        yield b"a"
        time.sleep(3)
        yield b"b"

    assert channel.stream_unary(path("Up"))(asked(), metadata=CREDENTIALS, timeout=20) == b"2"
    print("idle")


with channel() as open_channel:
    globals()[case](open_channel)
