# Counts the calls of a program's own functions while plain Python runs it.
#
# It is imported as `sitecustomize`: its folder is the first entry of PYTHONPATH.  So Python
# itself finds the program, gives it `__main__`, arguments and exit code, and this file only
# looks on.  Beside it lie `request`, a dictionary as text, and `counts` once the program ends:
#
#   counted            or why not; <tab> blind, where calls in `__del__` were missed
#   CALLS <tab> DISTINCT or - <tab> 1 if there were more <tab> FIRST LINE <tab> NAME <tab> FILE
#
# A call is the start of a function's code; a generator or coroutine counts when it first runs,
# not each time it goes on.  Nothing here calls a method of the program's classes.
#
# This file must parse on Python 3.8.  It imports nothing that Python has not loaded by itself.
import atexit
import gc
import io
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
_open, _replace, _getpid = io.open, os.replace, os.getpid
_realpath, _join = os.path.realpath, os.path.join
MOST_CODES = 200000  # functions that are told apart; a program with more is not counted
MOST_DISTINCT = 10000  # different arguments that are kept of a function
MOST_BYTES = 1 << 22  # what they may hold, about
LONGEST = 256  # of a text among the arguments
WIDEST = 64  # values in the arguments of one call, those inside tuples too
SKIP = -2  # no instruction's offset
RESUME = 149 if sys.version_info >= (3, 13) else 151  # first instruction of a function's own (3.11)
RUNS_LATER = 0x20 | 0x80 | 0x200  # code of generators and coroutines: no results to remember

with _open(_join(HERE, "request"), encoding="utf-8") as _file:
    REQUEST = eval(_file.read(), {"__builtins__": {}})
CWD, PID = os.getcwd(), _getpid()

# Functions go by file name, first line and name, as their code objects say them.
counted = {}  # the real path of the file; None for what is not the program's
files = {}  # by name in code objects: the same
watched = {}  # a Watch, as long as there is something to find out
known = {}  # the same, when there is not
tables = []  # calls by function, one table a thread
trouble = []
finalizers = []  # `__del__`, where the program has one
blind = [0, 0]  # events of collections that were seen, and collections that were not


# ---------------------------------------------------------------- what is counted

def covers(path):
    """Is it the program's own code?  As for the profile."""
    if path[:1] == "<" or any(part in path for part in REQUEST["exclude"]):
        return False
    if REQUEST["only"] and not any(part in path for part in REQUEST["only"]):
        return False
    if REQUEST["profile_all"]:
        return True
    root = REQUEST["program_path"].rstrip(os.sep) + os.sep
    return path.startswith(root) and not any(part in path for part in REQUEST["libraries"])


def own_path(name):
    """The real path of a file of the program; None for all others."""
    if name not in files:
        path = _join(CWD, name)
        real = name if name[:1] == "<" else _realpath(path)
        own = name != __file__ and (covers(path) or covers(real))
        files[name] = real if own and name[:1] != "<" else None
    return files[name]


def look_at(code, key):
    """Sees a function for the first time: True where it is counted."""
    if code.co_filename == REQUEST["snippet"] and code.co_name == "<module>":
        as_snippet()
    path = own_path(code.co_filename)
    if path is None:
        return False
    if any(getattr(part, "co_name", "") == "__del__" for part in code.co_consts):
        finalizers[:] = ["__del__"]
    if code.co_name[:1] == "<":
        return False
    if len(counted) >= MOST_CODES:
        trouble.append("the program has too many functions")
        return False
    if not code.co_flags & RUNS_LATER and key not in counted:
        for file, line, name in REQUEST["hot"]:
            # The first line is a decorator's, where there are any.
            if file == path and name == code.co_name and 0 <= line - code.co_firstlineno < 50:
                watched[key] = Watch(code)
    counted[key] = path
    return True


def as_snippet():
    """What a program given as text sees of its start."""
    sys.argv[:1] = ["-c"]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[-len(sys.argv):] = sys.argv
    if not (getattr(sys.flags, "safe_path", False) or sys.flags.isolated):
        sys.path[0] = REQUEST["path0"]


# ---------------------------------------------------------------- distinct arguments

class Unknown(Exception):
    """A value of which nobody can say whether it was seen before."""


class Watch:
    """The different arguments of a function."""

    __slots__ = ("names", "keywords", "seen", "bytes", "more")

    def __init__(self, code):
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04)
        self.names = code.co_varnames[:count]
        self.keywords = code.co_varnames[count] if code.co_flags & 0x08 else None
        self.seen, self.bytes, self.more = set(), 0, False

    def look(self, frame):
        """True while there is something left to find out."""
        values = frame.f_locals
        room = [WIDEST, 0]
        try:
            key = tuple([key_of(values[name], room) for name in self.names])
            if self.keywords is not None:
                more = values[self.keywords]
                if any(type(name) is not str for name in more):  # sorting would ask it
                    raise Unknown
                for name in sorted(more):
                    key += (key_of(name, room), key_of(more[name], room))
        except (Unknown, KeyError, TypeError):
            self.seen = None
            return False
        finally:
            # A copy that the frame keeps: it would keep objects alive that plain Python frees.
            # (Before 3.12 a profile function has one made at each call anyway, and writes it back.)
            if type(values) is dict and sys.version_info >= (3, 12):
                values.clear()
        if key in self.seen:
            return True
        if len(self.seen) >= MOST_DISTINCT or self.bytes > MOST_BYTES:
            self.more = True
            return False
        self.seen.add(key)
        self.bytes += room[1] + 64
        return True


def key_of(value, room):
    """The value itself where it is of a type whose comparison is Python's own."""
    kind = type(value)
    room[0] -= 1
    if room[0] < 0:
        raise Unknown
    if kind is int and value.bit_length() <= 8 * LONGEST:
        room[1] += 32
        return value
    if kind is str and len(value) <= LONGEST:
        room[1] += 4 * len(value)
        return value
    if kind is bytes and len(value) <= LONGEST:
        room[1] += len(value)
        return ("bytes", value)
    if kind is float:  # all nan are one, 0.0 and -0.0 are two
        return ("float", value.hex())
    if kind is bool or value is None:  # 1 == True
        return ("is", str(value))
    if kind is tuple and len(value) <= WIDEST:
        return ("tuple", tuple([key_of(part, room) for part in value]))
    raise Unknown


# ---------------------------------------------------------------- counting

def by_monitoring():
    """Python 3.12 and later: code that is not counted costs nothing after its first call."""
    monitoring = sys.monitoring
    tool = next(t for t in (4, 3, 0) if monitoring.get_tool(t) is None)
    started, off = monitoring.events.PY_START, monitoring.DISABLE
    calls, frame_of = {}, sys._getframe
    tables.append(calls)

    def on_start(code, _offset):
        # No call on the usual way: between reading and writing the number, no other thread
        # gets its turn, and no collection begins (see `blind`).
        key = (code.co_filename, code.co_firstlineno, code.co_name)
        try:
            calls[key] += 1
        except KeyError:
            if code is not on_collection.__code__ and not look_at(code, key):
                return off
            calls.setdefault(key, 0)
            calls[key] += 1
        if key in watched:
            watch(key, frame_of(1))

    if sys.version_info < (3, 14):
        on_start.__code__ = without_pause(on_start.__code__)
    monitoring.use_tool_id(tool, "call counts")
    monitoring.register_callback(tool, started, on_start)
    monitoring.set_events(tool, started)
    return lambda: monitoring.set_events(tool, 0)


def without_pause(code):
    """Python starts due collections and signal handlers at the first instruction of a function,
    RESUME; not at one that says 2: "goes on after `yield from`".  They come a little later
    then, in the program's own function, where calls are seen."""
    at = start_of(code)
    return code.replace(co_code=code.co_code[:at + 1] + b"\2" + code.co_code[at + 2:])


def by_profile_function():
    """Before 3.12: a profile function for each thread, with a table of its own."""
    starts = {}  # offset of the instruction at which the function starts, or SKIP
    told = []

    def new_table():
        calls = {}
        tables.append(calls)

        def on_event(frame, event, _arg):
            if event != "call" and (event != "return" or frame.f_lasti >= 0):
                return
            code = frame.f_code
            key = (code.co_filename, code.co_firstlineno, code.co_name)
            if event == "return":  # before 3.11: a generator that is closed before it ever ran
                if starts.get(key) == -1:
                    calls[key] = calls.get(key, 0) - 1
                return
            if key not in starts:
                starts[key] = start_of(code) if is_counted(code, key) else SKIP
            if starts[key] != frame.f_lasti:  # a generator that goes on, or (3.11) never ran
                return
            calls[key] = calls.get(key, 0) + 1
            if key in watched:
                watch(key, frame)

        return on_event

    def is_counted(code, key):
        if not told and hasattr(sys.modules.get("threading"), "setprofile"):
            told.append(True)
            sys.modules["threading"].setprofile(on_thread)
        return code is on_collection.__code__ or look_at(code, key)

    def on_thread(frame, event, arg):
        mine = new_table()
        sys.setprofile(mine)
        mine(frame, event, arg)

    mine = new_table()
    sys.setprofile(mine)

    def stop():
        if sys.getprofile() is not mine:
            trouble.append("the program sets a profile function of its own, as cProfile does")
        sys.setprofile(None)
        if told:
            sys.modules["threading"].setprofile(None)

    return stop


def start_of(code):
    """The offset that a frame has when its function starts."""
    if sys.version_info < (3, 11):
        return -1
    return next(at for at in range(0, len(code.co_code), 2) if code.co_code[at] == RESUME)


def watch(key, frame):
    one = watched.get(key)
    if one is not None and not one.look(frame):
        known[key] = one
        watched.pop(key, None)


def on_collection(phase, info):
    """A collection may run methods of the program, of which nothing is seen when it begins
    inside of what counts.  Neither is this call of ours then."""
    code = on_collection.__code__
    key = (code.co_filename, code.co_firstlineno, code.co_name)
    if phase == "stop":
        seen = sum([table.get(key, 0) for table in tables])
        if seen == blind[0] and info["collected"]:
            blind[1] += 1
        blind[0] = seen


def write():
    """Python's last act before it takes itself apart."""
    if _getpid() != PID:
        return
    try:
        stop()
        known.update(watched)
        calls = {}
        for table in tables:
            for key, number in list(table.items()):
                calls[key] = calls.get(key, 0) + number
        lines = [trouble[0] if trouble else "counted"]
        if finalizers and blind[1]:
            lines[0] += "\tblind"
        for key, number in calls.items():
            path = counted.get(key)
            if number <= 0 or path is None or "\n" in path:
                continue
            one = known.get(key)
            distinct = "-" if one is None or one.seen is None else len(one.seen)
            more = int(one is not None and one.more)
            lines.append("\t".join(map(str, (number, distinct, more, key[1], key[2], path))))
        temp = _join(HERE, "counts.tmp")
        with _open(temp, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as f:
            f.write("\n".join(lines) + "\n")
        _replace(temp, _join(HERE, "counts"))
    except Exception:
        pass  # there are no counts then


def give_way():
    """Leaves no trace: the program and its children see the environment that was there before."""
    variable = os.environ.get("PYTHONPATH", "")
    rest = variable[len(HERE) + len(os.pathsep):]
    if rest:
        os.environ["PYTHONPATH"] = rest
    else:
        os.environ.pop("PYTHONPATH", None)
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != HERE]
    sys.path_importer_cache.pop(HERE, None)
    ours = sys.modules.pop("sitecustomize")
    sys.modules["site"].execsitecustomize()  # the environment's own, if it has one
    sys.modules.setdefault("sitecustomize", ours)  # the import system looks for it


give_way()
atexit.register(write)
gc.callbacks.append(on_collection)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: stop())  # children are not counted
stop = by_monitoring() if hasattr(sys, "monitoring") else by_profile_function()
