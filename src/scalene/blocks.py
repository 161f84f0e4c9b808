# `scalene_mcp_blocks`: named blocks of a program that is profiled.
#
#     from scalene_mcp_blocks import block
#
#     with block("parse"):
#         ...
#
#     @block("load")
#     def load(path): ...
#
# The launcher lets programs import this; a program's own module of the name comes first.  Each block
# is counted and timed where it was entered.  Blocks nest by context: over `await` and into threads
# that were given the context.  Must run on Python 3.8, and is loaded only by programs that ask for it.
import os as _os
import sys as _sys


def _make(folder):
    import atexit
    import functools
    import inspect
    import json
    import threading
    import time
    from contextvars import ContextVar

    MOST_BLOCKS = 1000  # different places in the tree of blocks
    MOST_PLACES = 5  # of one block in the source
    MOST_KEYS = 100
    MOST_NAME = 200
    PERIOD, MOST_PERIOD = 0.2, 1.0  # seconds between two writes while the program runs
    MOST_WRITING = 0.05  # part of the time for which it may write, unless that takes very long
    MOST_RETIRED = 50  # threads that are over and not yet added up
    SHORT = 20e-6  # seconds between two events that are taken as CPU time: its clock takes a microsecond

    # Held here and not as globals of a module: a test's frozen clock leaves them alone.
    clock, wall_clock, get_frame = time.perf_counter, time.time, _sys._getframe
    getpid, replace, open_, dumps = _os.getpid, _os.replace, open, json.dumps
    try:
        cpu_clock = time.thread_time
        cpu_clock()
        has_cpu = True
    except (AttributeError, OSError):
        cpu_clock, has_cpu = (lambda: 0.0), False

    class Node:
        """A block at its place in the tree."""
        __slots__ = ("name", "parent", "children", "around", "calls", "open", "wall", "own", "cpu", "code",
                     "at", "keys", "places")

        def __init__(self, name, parent):
            self.name, self.parent, self.children = name, parent, {}
            self.around = {} if parent is None else dict(parent.around)  # itself and those that hold it
            if parent is not None:
                self.around[name] = self
            self.calls = self.open = 0
            self.wall = self.own = self.cpu = 0.0
            self.code = self.at = None  # where it was last entered
            self.keys, self.places = set(), []

        def path(self):
            names, node = [], self
            while node.parent is not None:
                names.append(node.name)
                node = node.parent
            return names[::-1]

        def add(self, other):
            """Adds another tree to this one."""
            for name, theirs in list(other.children.items()):
                mine = self.children.get(name)
                if mine is None:
                    mine = self.children[name] = Node(name, self)
                mine.calls += theirs.calls
                mine.wall += theirs.wall
                mine.own += theirs.own
                mine.cpu += theirs.cpu
                mine.places += [place for place in theirs.places if place not in mine.places]
                mine.add(theirs)

    class Ledger:
        """What one thread adds up; nobody else writes to it."""

        def __init__(self):
            self.root = self.owner = Node("", None)  # owner: whose CPU time it is that passes
            self.cpu_at, self.at = cpu_clock(), clock()
            self.assumed = 0.0  # CPU time since `cpu_at` that was not read off its clock
            self.live = {}  # entries that are open
            self.mirrors = {}
            self.nodes = self.left_out = 0
            self.dead = False  # of the process that this one was forked from

        def charge(self, to, now):
            """The CPU time since the last event, where it is known whose it is."""
            took, self.at = now - self.at, now
            if took < SHORT:
                self.assumed += took
            else:
                cpu = cpu_clock()
                took = cpu - self.cpu_at - self.assumed
                self.cpu_at, self.assumed = cpu, 0.0
            owner = self.owner
            (owner if owner is to else self.root).cpu += took

        def mirror(self, node):
            """The node of another thread's tree in this one; the deepest that there is room for."""
            known = self.mirrors.get(id(node))
            if known is None:
                mine = self.root
                for name in node.path():
                    mine = mine.children.get(name) or self.child(mine, name) or mine
                if len(self.mirrors) > MOST_BLOCKS:
                    self.mirrors.clear()
                known = self.mirrors[id(node)] = mine, node  # held, or its id might be given away
            return known[0]

        def child(self, parent, name):
            if self.nodes >= MOST_BLOCKS:
                return None
            self.nodes += 1
            node = parent.children[name] = Node(name, parent)
            return node

    class State:
        """What the threads share."""

        def __init__(self):
            self.local = threading.local()
            self.lock = threading.RLock()  # a signal's handler may come in while it is held
            self.ledgers, self.retired = [], []
            self.rest = Node("", None)  # of threads that are over
            self.rest_left_out = 0
            self.saved_at, self.period = 0.0, PERIOD
            self.hooked = None

    state = State()
    current = ContextVar("scalene_mcp_block", default=None)

    class Guard:
        """Goes with its thread."""

        def __init__(self, ledger):
            self.ledger = ledger

        def __del__(self):
            state.retired.append(self.ledger)

    def new_ledger():
        if len(state.retired) > MOST_RETIRED:
            fold()
        ledger = state.local.ledger = Ledger()
        state.local.guard = Guard(ledger)
        state.ledgers.append(ledger)
        return ledger

    def fold():
        with state.lock:
            while state.retired:
                ledger = state.retired.pop()
                if ledger in state.ledgers:
                    state.ledgers.remove(ledger)
                    state.rest.add(ledger.root)
                    state.rest_left_out += ledger.left_out

    class Entry:
        """A block that was entered and not yet left."""
        __slots__ = ("block", "node", "outer", "real", "ledger", "since", "covered", "inner", "inner_since",
                     "closed")

        def __init__(self, block, node, outer, ledger):
            self.block, self.node, self.outer, self.ledger = block, node, outer, ledger
            self.real = self  # whose time it is: of a block inside itself that around it
            self.since = self.inner_since = self.covered = 0.0
            self.inner = 0  # blocks of the same thread that are open in it
            self.closed = False

    def opened():
        """The innermost open block of the context."""
        entry = current.get()
        while entry is not None and entry.closed:
            entry = entry.outer
        return entry

    def enter(block, code, at, place, count=1):
        try:
            ledger = state.local.ledger
        except AttributeError:
            ledger = new_ledger()
        outer = current.get()
        while outer is not None and outer.closed:
            outer = outer.outer
        holder = None
        if outer is None:
            parent = ledger.root
        elif outer.ledger is ledger:
            parent, holder = outer.node, outer.real
        else:
            parent = ledger.mirror(outer.node)
        name = block.name
        node = parent.around.get(name)
        if node is None:
            node = parent.children.get(name)
            if node is None:
                hook_event_loop()
                node = ledger.child(parent, name)
            if node is not None:
                if code is not node.code or at != node.at:
                    add_place(node, code, at, place)
                node.calls += count
                entry = Entry(block, node, outer, ledger)
                current.set(entry)
                entry.since = now = clock()
                if now - state.saved_at > state.period:
                    save_now_and_then(now)
                    entry.since = now = clock()
                if holder is not None:
                    if not holder.inner:
                        holder.inner_since = now
                    holder.inner += 1
                ledger.live[entry] = None
                ledger.charge(parent, now)
                ledger.owner = node
                return entry
            ledger.left_out += count
        else:
            node.calls += count
        # Inside itself, or one too many: its time stays where it is.
        entry = Entry(block, parent, outer, ledger)
        entry.real = holder
        current.set(entry)
        return entry

    def leave(entry):
        now = clock()
        if entry.closed:
            return
        entry.closed = True
        ledger, alone, outer = entry.ledger, entry.real is entry, entry.outer
        here = alone and getattr(state.local, "ledger", None) is ledger
        if here:
            ledger.charge(entry.node, now)
        if current.get() is entry:
            while outer is not None and outer.closed:
                outer = outer.outer
            current.set(outer)
        else:  # a generator's block, left while others are open
            outer = opened()
        entry.block = entry.real = None
        if not alone or ledger.dead:
            return
        ledger.live.pop(entry, None)
        node, took = entry.node, now - entry.since
        covered = entry.covered
        if entry.inner:
            covered += now - entry.inner_since
        node.wall += took
        node.own += took - covered if covered < took else 0.0
        holder = entry.outer
        if holder is not None:
            holder = holder.real
            if holder is not None and holder.ledger is ledger and holder.inner:
                holder.inner -= 1
                if not holder.inner:
                    holder.covered += now - holder.inner_since
        if here:
            ledger.owner = ledger.root if outer is None or outer.ledger is not ledger else outer.node
        if now - state.saved_at > state.period:
            save_now_and_then(now)

    def find(block):
        """The open entry of a block that is being left."""
        entry = current.get()
        while entry is not None and (entry.block is not block or entry.closed):
            entry = entry.outer
        return block.last if entry is None else entry

    def file_of(code):
        name = code.co_filename
        return name if name[:1] == "<" else _os.path.abspath(name)

    def add_place(node, code, at, place):
        node.code, node.at = code, at
        key = id(code), at
        if key in node.keys:
            return
        if len(node.keys) < MOST_KEYS:
            node.keys.add(key)
        if len(node.places) < MOST_PLACES and place is not None:
            if not isinstance(place, tuple):
                while place.f_back is not None and place.f_code.co_filename.endswith("contextlib.py"):
                    place = place.f_back
                place = (file_of(place.f_code), place.f_lineno, "")
            if place not in node.places:
                node.places.append(place)

    def hook_event_loop():
        """Of what a task does between two waits, the CPU time goes to the block that the task is in."""
        events = _sys.modules.get("asyncio.events")
        handle = getattr(events, "Handle", None)
        if state.hooked is not None or handle is None:
            return
        state.hooked = run = handle._run
        get_context = getattr(handle, "_context", None)
        if get_context is None:
            return

        @functools.wraps(run)
        def timed(self):
            try:
                ledger = state.local.ledger
            except AttributeError:
                ledger = new_ledger()
            before = ledger.owner
            entry = self._context.get(current)
            while entry is not None and entry.closed:
                entry = entry.outer
            ledger.charge(before, clock())
            ledger.owner = ledger.root if entry is None or entry.ledger is not ledger else entry.node
            try:
                return run(self)
            finally:
                ledger.charge(ledger.owner, clock())
                ledger.owner = before

        handle._run = timed

    # ------------------------------------------------------------ writing

    def tree():
        """All blocks of all threads, those included that are open."""
        now, whole, left_out = clock(), Node("", None), 0
        with state.lock:
            ledgers = list(state.ledgers)
            whole.add(state.rest)
            left_out = state.rest_left_out
        own = getattr(state.local, "ledger", None)
        if own is not None:
            own.charge(own.owner, now)
        for ledger in ledgers:
            whole.add(ledger.root)
            left_out += ledger.left_out
            for entry in list(ledger.live):
                node = whole
                for name in entry.node.path():
                    node = node.children.get(name) or node
                took = now - entry.since
                covered = entry.covered + (now - entry.inner_since if entry.inner else 0.0)
                node.open += 1
                node.wall += took
                node.own += max(took - covered, 0.0)
        return whole, left_out

    def rows(node, parent, out, rest):
        for child in node.children.values():
            if len(out) >= MOST_BLOCKS:
                rest[0] += child.calls
                continue
            out.append({
                "parent": parent, "name": child.name, "calls": child.calls, "open": child.open,
                "wall": child.wall, "own": child.own, "cpu": child.cpu if has_cpu else None,
                "places": child.places[:MOST_PLACES],
            })
            rows(child, len(out) - 1, out, rest)
        return out

    def save():
        """Writes what there is.  Never fails: the program is not to suffer."""
        try:
            state.saved_at = clock()
            whole, left_out = tree()
            if not whole.children and not left_out:
                return
            rest = [left_out]
            blocks = rows(whole, None, [], rest)
            loops = [name for name in ("uvloop", "trio", "gevent", "curio") if name in _sys.modules]
            text = dumps({"pid": getpid(), "at": wall_clock(), "left_out": rest[0], "loops": loops,
                          "blocks": blocks})
            path = _os.path.join(folder, "blocks-%d.json" % getpid())
            temporary = "%s.%d.tmp" % (path, threading.get_ident())
            with open_(temporary, "w", encoding="utf-8") as file:
                file.write(text)
            replace(temporary, path)
            state.period = min(MOST_PERIOD, max(PERIOD, (clock() - state.saved_at) / MOST_WRITING))
        except Exception:
            pass

    def save_now_and_then(now):
        state.saved_at = now  # no second thread meanwhile
        save()

    def forked():
        """This is another process now: what was measured is the parent's."""
        hooked = state.hooked
        for ledger in state.ledgers + state.retired:
            ledger.dead = True
        state.__init__()
        state.hooked = hooked

    if hasattr(_os, "register_at_fork"):
        _os.register_at_fork(after_in_child=forked)
    atexit.register(save)

    # ------------------------------------------------------------ what programs use

    class block:
        """A named block: `with block("parse"):` or `@block("parse")`."""
        __slots__ = ("name", "last")

        def __init__(self, name):
            self.name = name if type(name) is str and len(name) <= MOST_NAME else str(name)[:MOST_NAME]
            self.last = None

        def __enter__(self):
            frame = get_frame(1)
            self.last = enter(self, frame.f_code, frame.f_lasti, frame)
            return self

        def __exit__(self, *error):
            entry = current.get()
            if entry is None or entry.block is not self or entry.closed:
                entry = find(self)
            if entry is not None:
                leave(entry)
            self.last = None  # they name each other: nothing is left to the garbage collector

        def __call__(self, function):
            if isinstance(function, (staticmethod, classmethod)):
                return type(function)(self(function.__func__))
            if isinstance(function, type) or not callable(function):
                raise TypeError("@block is for functions, not for %r" % (function,))
            return decorated(self.name, function)

    def decorated(name, function):
        code = getattr(inspect.unwrap(function), "__code__", None)
        place = None
        if code is not None:
            place = (file_of(code), code.co_firstlineno, getattr(function, "__qualname__", code.co_name))

        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def wrapper(*args, **kw):
                entry = enter(block(name), code, -1, place)
                try:
                    return await function(*args, **kw)
                finally:
                    leave(entry)
        elif inspect.isasyncgenfunction(function):
            # Only while its body runs: between two items it is the caller's time.
            @functools.wraps(function)
            async def wrapper(*args, **kw):
                generator, count = function(*args, **kw), 1
                step, value = generator.asend, None
                while True:
                    entry, count = enter(block(name), code, -1, place, count), 0
                    try:
                        item = await step(value)
                    except StopAsyncIteration:
                        return
                    finally:
                        leave(entry)
                    try:
                        value = yield item
                        step = generator.asend
                    except GeneratorExit:
                        await generator.aclose()
                        raise
                    except BaseException as error:
                        step, value = generator.athrow, error
        elif inspect.isgeneratorfunction(function):
            @functools.wraps(function)
            def wrapper(*args, **kw):
                generator, count = function(*args, **kw), 1
                step, value = generator.send, None
                while True:
                    entry, count = enter(block(name), code, -1, place, count), 0
                    try:
                        item = step(value)
                    except StopIteration as stop:
                        return stop.value
                    finally:
                        leave(entry)
                    try:
                        value = yield item
                        step = generator.send
                    except GeneratorExit:
                        generator.close()
                        raise
                    except BaseException as error:
                        step, value = generator.throw, error
        else:
            @functools.wraps(function)
            def wrapper(*args, **kw):
                entry = enter(block(name), code, -1, place)
                try:
                    return function(*args, **kw)
                finally:
                    leave(entry)
        return wrapper

    return block, save


_here = _os.path.dirname(_os.path.abspath(__file__))
block, _save = _make(_os.path.join(_os.path.dirname(_here), "o"))
block.__module__, block.__qualname__ = __name__, "block"
# Children that Python starts anew find it here; those of multiprocessing take over this path.
if _here not in _sys.path:
    _sys.path.append(_here)
_paths = _os.environ.get("PYTHONPATH", "")
if _here not in _paths.split(_os.pathsep):
    _os.environ["PYTHONPATH"] = _paths + _os.pathsep + _here if _paths else _here
