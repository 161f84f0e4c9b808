"""Reads a capture of memray, and writes what it says of each call path as JSON.

Started as `python -I -B read.py PACKAGES CAPTURE DOCUMENT` with the interpreter that ran the
program: the format is memray's own. Bounded: so many points in time, so many call paths.
"""
import json
import sys
from bisect import bisect_left

PACKAGES, CAPTURE, DOCUMENT = sys.argv[1:4]
if PACKAGES:
    sys.path.insert(0, PACKAGES)

import memray  # noqa: E402

POINTS = 30
MOST_STACKS = 300
DEEPEST = 40
# Python asks the system for pools of this size and keeps small objects in them.
POOL = (1 << 20) if sys.version_info >= (3, 10) else (256 << 10)


def frames_of(record):
    return tuple((file, function, line) for function, file, line in record.stack_trace(DEEPEST))


def is_pool(record, size, number):
    return record.allocator == memray.AllocatorType.MMAP and size == number * POOL


class Stack:
    def __init__(self, points):
        self.peak = 0
        self.alive, self.objects, self.pooled = [0] * points, [0] * points, [0] * points


def read():
    reader = memray.FileReader(CAPTURE)
    snapshots = [snapshot.time for snapshot in reader.get_memory_snapshots()]
    last = len(snapshots)
    # Index of the snapshot at each point; the last point is the end, some are shortly before it.
    parts = [n / POINTS for n in range(1, POINTS)] + [0.98, 0.985, 0.99]
    marks = sorted({round(last * part) for part in parts} - {0, last}) + [last]
    began = snapshots[0] if snapshots else 0
    points = [(snapshots[min(mark, last - 1)] - began) / 1000 if snapshots else 0 for mark in marks]
    stacks = {}

    def stack_of(record):
        frames = frames_of(record)
        if frames not in stacks:
            stacks[frames] = Stack(len(marks))
        return stacks[frames]

    for record in memray.FileReader(CAPTURE).get_temporal_allocation_records(merge_threads=True):
        stack = stack_of(record)
        for interval in record.intervals:
            born, died = interval.allocated_before_snapshot, interval.deallocated_before_snapshot
            size, number = interval.n_bytes, interval.n_allocations
            pooled = size if is_pool(record, size, number) else 0
            for index in range(bisect_left(marks, born), len(marks)):
                if died is not None and marks[index] >= died:
                    break
                stack.alive[index] += size
                stack.objects[index] += number
                stack.pooled[index] += pooled
    peak = 0
    for record in memray.FileReader(CAPTURE).get_high_watermark_allocation_records(merge_threads=True):
        stack_of(record).peak += record.size
        peak += record.size
    return points, stacks, peak


def main():
    points, stacks, peak = read()
    largest = sorted(stacks.items(), key=lambda item: -max(item[1].alive + [item[1].peak]))
    totals = [sum(stack.alive[index] for stack in stacks.values()) for index in range(len(points))]
    highest = max(range(len(points)), key=totals.__getitem__) if points else None
    document = {
        "tracker": "memray", "version": memray.__version__, "refused": None,
        "points": points, "peak": peak,
        "peak_at": points[highest] if highest is not None else None,
        "totals": totals,
        "stacks": [
            {
                "frames": frames, "peak": stack.peak, "alive": stack.alive,
                "objects": stack.objects, "pooled": stack.pooled,
            }
            for frames, stack in largest[:MOST_STACKS]
        ],
    }
    with open(DOCUMENT, "w", encoding="utf-8") as out:
        json.dump(document, out)


main()
