"""Threads of the server allocate from one heap."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps by thread are glibc's")

PROGRAM = """
import asyncio, ctypes, sys, threading
from cheesebox.server.run import run

KB_100 = 100_000
THREADS = 4

def allocate(all_have):
    held = [bytearray(KB_100) for _ in range(20)]
    all_have.wait()

async def work():
    all_have = threading.Barrier(THREADS)
    await asyncio.gather(*(asyncio.to_thread(allocate, all_have) for _ in range(THREADS)))
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    return 0

run(work())
"""


def heaps(tmp_path, **environment):
    told = tmp_path / "malloc_info.xml"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, told], check=True, env=os.environ | environment, timeout=60
    )
    return told.read_text().count("<heap nr=")


def test_threads_share_one_heap(tmp_path):
    assert heaps(tmp_path) == 1


def test_who_sets_the_number_of_heaps_has_chosen(tmp_path):
    assert heaps(tmp_path, MALLOC_ARENA_MAX="8") > 1
