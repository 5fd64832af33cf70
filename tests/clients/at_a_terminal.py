"""Runs a program at a terminal of its own, as a person would.

    at_a_terminal.py STEPS PROGRAM ARGUMENT...

STEPS is a JSON list of pairs: what is waited for on the screen, behind what was waited for before, and what is typed then ("" is nothing,
"\\r" is the enter key alone, what ends in "\\x03" ends with Ctrl-C, and everything else with the enter key). Prints what the screen showed, and ends as the
program does."""
import json
import os
import pty
import select
import sys
import time

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
child, screen = pty.fork()
if child == 0:
    os.execvp(command[0], command)
shown, seen = "", 0


def read(until):
    """Whether something came; ends with the program."""
    global shown
    if not select.select([screen], [], [], max(0, until - time.monotonic()))[0]:
        return False
    try:
        piece = os.read(screen, 65536)
    except OSError:
        return False
    shown += piece.decode("utf-8", "replace")
    return bool(piece)


missed = None
for wanted, typed in steps:
    until = time.monotonic() + 20
    while wanted not in shown[seen:]:
        if not read(until):
            missed = wanted
            break
    if missed is not None:
        break
    seen += shown[seen:].index(wanted) + len(wanted)
    if typed:
        # A person types when the program reads: rpassword switches the echo off first.
        time.sleep(0.05)
        os.write(screen, (typed if typed.endswith(("\x03", "\r")) else typed + "\r").encode())
if missed is not None:
    os.kill(child, 9)
else:
    until = time.monotonic() + 20
    while read(until):
        pass
sys.stdout.write(shown.replace("\r\n", "\n"))
if missed is not None:
    print(f"\n[never shown: {missed!r}]")
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) if missed is None else 99)
