"""The end of the process is the program's, whatever its threads are at."""

import subprocess
import sys

from tests.waiting import DEADLINE

# A password is being checked when the program has done all that it had to do, and the interpreter is slow to end.
_BUSY = """
import sys, threading, time
import bcrypt
from exporter import __main__, cli
class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(3)
def main():
    threading.Thread(target=bcrypt.hashpw, args=(b"secret", bcrypt.gensalt(13)), daemon=True).start()
    time.sleep(0.1)
    return 3
slow = Slow()
cli.main = main
sys.exit(__main__.main())
"""


def test_a_thread_that_is_at_work_at_the_end_does_not_change_the_exit_status() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BUSY], stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE, check=False
    )

    assert (done.returncode, done.stderr) == (3, b"")
