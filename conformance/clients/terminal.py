"""Runs a program on a terminal of its own: each line of input is typed once the text before it was shown.

terminal.py PROGRAM ARG … ; standard input: lines `EXPECTED<TAB>TYPED`, both with backslash escapes. Prints all that was shown.
"""
import os
import pty
import select
import sys
import time

steps = [[part.encode().decode("unicode_escape").encode("latin-1") for part in line.rstrip("\n").split("\t", 1)] for line in sys.stdin]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.environ["HOME"] = "/nonexistent"
    os.execvp(sys.argv[1], sys.argv[1:])

import fcntl
import struct
import termios

fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
shown = b""
since = 0
deadline = time.monotonic() + 20
while time.monotonic() < deadline:
    if steps and steps[0][0] in shown[since:]:
        since = len(shown)
        os.write(terminal, steps.pop(0)[1])
    ready, _, _ = select.select([terminal], [], [], 0.2)
    if not ready:
        continue
    try:
        chunk = os.read(terminal, 65536)
    except OSError:
        break
    if not chunk:
        break
    shown += chunk
sys.stdout.buffer.write(shown)
if steps:
    sys.exit(f"not shown: {steps[0][0]}")
