"""Processes by a mark in their environment, and waiting for conditions."""

import asyncio
import os
import time


def marked(mark):
    """The processes that have this `NAME=VALUE` in their environment and have not ended."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if mark.encode() in file.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            pass  # It ended meanwhile, or is another user's.
    return found


async def until(what, condition, seconds=90):
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"never: {what}")
        await asyncio.sleep(0.05)
