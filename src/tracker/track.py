# ---------------------------------------------------------------- tracking allocations
#
# Follows the launcher, whose call of main() was taken off: what it has to run a program as plain
# Python does is used here, without Scalene.
#
#   python launch.py request.json
#
# The request's "tracker" says where memray is, and where the evidence goes.  memray writes a
# capture, which read.py reads; tracemalloc, where memray cannot be had, writes the evidence itself.

PLAIN_FRAMES = 4  # frames that tracemalloc keeps of an allocation: each costs time
LOOKS = 30  # points in time that are kept
MOST_STACKS = 300


class Memray:
    name = "memray"

    def __init__(self, options):
        before = set(sys.modules)
        folder = options.get("packages")
        if folder:
            sys.path.insert(0, folder)
        try:
            import memray
            self.tracker = memray.Tracker(options["capture"])  # imports more
        finally:
            if folder:
                sys.path.remove(folder)
                # The program imports its own copies of what came along.
                for name in set(sys.modules) - before:
                    where = getattr(sys.modules[name], "__file__", None) or ""
                    if where.startswith(folder) and name.partition(".")[0] != "memray":
                        del sys.modules[name]

    def start(self):
        self.tracker.__enter__()

    def stop(self):
        self.tracker.__exit__(None, None, None)


class Tracemalloc:
    name = "tracemalloc"

    def __init__(self, options, why):
        import _thread
        import tracemalloc
        self.malloc, self.document, self.why = tracemalloc, options["document"], why
        self.spawn = _thread.start_new_thread  # unseen by threading.enumerate()
        self.looks, self.every, self.over = [], 0.1, False
        self.lock = _thread.allocate_lock()

    def start(self):
        self.malloc.start(PLAIN_FRAMES)
        self.began = time.time()
        self.spawn(self.watch, ())

    def watch(self):
        while not self.over:
            time.sleep(self.every)
            with self.lock:
                if not self.over:
                    self.look()

    def look(self):
        at, held = time.time(), {}
        for trace in self.malloc.take_snapshot().traces._traces:
            entry = held.setdefault(trace[2], [0, 0])
            entry[0] += trace[1]
            entry[1] += 1
        self.looks.append((at - self.began, held))
        if len(self.looks) >= LOOKS:
            del self.looks[::2]
            self.every *= 2
        # Looks stop the program: at most a tenth of the time goes into them.
        self.every = max(self.every, 10 * (time.time() - at))

    def stop(self):
        with self.lock:
            self.over = True
            peak = self.malloc.get_traced_memory()[1]
            self.look()
            self.malloc.stop()
        highest = max(self.looks, key=lambda look: sum(e[0] for e in look[1].values()))
        stacks = []
        for frames in set().union(*(look[1] for look in self.looks)):
            seen = [look[1].get(frames, (0, 0)) for look in self.looks]
            stacks.append({
                "frames": [[frame[0], "", frame[1]] for frame in frames],
                "peak": highest[1].get(frames, (0,))[0],
                "alive": [entry[0] for entry in seen], "objects": [entry[1] for entry in seen],
                "pooled": [0] * len(seen),
            })
        stacks.sort(key=lambda stack: -max(stack["alive"]))
        document = {
            "tracker": self.name, "version": "%d.%d.%d" % sys.version_info[:3], "refused": self.why,
            "points": [look[0] for look in self.looks], "peak": peak, "peak_at": highest[0],
            "totals": [sum(e[0] for e in look[1].values()) for look in self.looks],
            "stacks": stacks[:MOST_STACKS],
        }
        with _open(self.document, "w", encoding="utf-8") as f:
            f.write(json.dumps(document))


def tracker_for(options):
    why = options.get("refused")
    if not why:
        try:
            return Memray(options)
        except Exception as e:
            why = "memray does not work with this Python (%s: %s)" % (type(e).__name__, e)
    return Tracemalloc(options, why)


def main_tracked():
    with _open(ARGV[1], encoding="utf-8") as f:
        request = json.load(f)
    st = State(request)
    st.write()
    program = Program(request, st)
    tracker = tracker_for(request["tracker"])
    over = []

    def finish():
        if over or _getpid() != _main_pid:
            return
        over.append(True)
        try:
            if gc.isenabled():
                gc.collect()  # cycles that nobody refers to are not kept
            tracker.stop()
        except BaseException as e:
            st.fail("tracking_failed", "%s: %s" % (type(e).__name__, e))

    def quick_exit(status):
        finish()
        _exit(status)

    def on_term(signum, frame):
        if _getpid() == _main_pid:
            finish()
            st.ended(143, "SIGTERM")
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except Exception:
                    pass
            _exit(143)
        _signal(signum, signal.SIG_DFL)
        _kill(_getpid(), signum)

    hide(Program.run, wait_for_threads)
    os._exit = at_home(quick_exit, "_exit")
    setattr(sys.modules[os.name], "_exit", os._exit)
    env = dict(os.environ)
    for name, value in (request.get("restore_env") or {}).items():
        env[name] = value
    set_environ(env)
    try:
        program.prepare()
    except Quit as e:
        sys.stderr.write(e.text)
        st.fail(e.kind, e.text.strip(), exit_code=e.code)
        sys.exit(e.code)
    except (SyntaxError, ValueError) as e:
        show_compile_error(e, program.path)
        st.fail("syntax_error", str(e), exit_code=1, exception=type(e).__name__)
        sys.exit(1)
    run = {"run": program.run, "start": tracker.start}
    whole = _compile("start(); run()", HIDDEN, "exec")
    if hasattr(signal, "SIGTERM"):
        _signal(signal.SIGTERM, on_term)
    gc.collect()
    st.started()
    _exec(whole, run)
    finish()
    if hasattr(signal, "SIGTERM"):
        _signal(signal.SIGTERM, signal.SIG_DFL)
    if st.data["phase"] == "running":
        st.write(phase="finished")
    if program.interrupted:
        sys.excepthook = lambda *a: None  # already shown
        raise KeyboardInterrupt
    sys.exit(program.exit[0])


main_tracked()
