"""Native chatter stays off the terminal, and nothing else is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from handfed.shared.quiet import quiet


def test_what_native_code_writes_is_kept_back(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with quiet():
        os.write(2, b"chatter ")
    os.write(2, b"after")
    assert capfd.readouterr() == ("", "before after")


def test_all_of_it_is_shown_when_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with quiet():
            os.write(2, b"why it broke")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    os.write(2, b", and after")
    assert capfd.readouterr().err == "why it broke, and after"


def test_standard_output_is_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(1, b"result")
    assert capfd.readouterr().out == "result"


def test_blocks_may_be_nested(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        with quiet():
            os.write(2, b"inner ")
        os.write(2, b"outer ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_threads_do_not_swap_the_descriptor_for_good(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        for _ in range(100):
            with quiet():
                os.write(2, b"chatter")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_no_descriptor_is_left_open_and_none_of_others_closed() -> None:
    """In a process of its own, where no other thread opens or closes any."""
    program = """
import os
from handfed.shared.quiet import quiet
before = set(os.listdir("/proc/self/fd"))
for _ in range(10):
    with quiet():
        pass
assert set(os.listdir("/proc/self/fd")) == before
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_process_without_standard_error_goes_on() -> None:
    program = "import os; os.close(2)\nfrom handfed.shared.quiet import quiet\nwith quiet(): print('went on')"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "went on\n"
