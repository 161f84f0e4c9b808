# Runs one Python program under Scalene, as faithfully as `python program` would run it.
#
#   python launch.py request.json
#
# In place of a program it may be asked for the calls of one function (call.py), or for the cells of a notebook.
#
# Scalene's command line cannot carry every program argument, and its way of running a
# program differs from plain Python in many details.  So Scalene gets only its own options
# (through its official command line, with a placeholder as program), and this file takes
# the one call in which Scalene would exec the placeholder, and runs the real program there.
#
# This file must parse on Python 3.8, and is read at each start: keep it lean.
import sys

# What a fresh `__main__` looks like in this Python, before anything of ours is in it.
_DUNDERS = [k for k in globals() if k[:2] == "__"]
# Python put our own directory first.  Away with it before the next import: neither our
# files nor the program's may shadow what Scalene imports.
_HAS_PATH0 = not (getattr(sys.flags, "safe_path", False) or sys.flags.isolated)
if _HAS_PATH0:
    del sys.path[0]
_MODULES0 = set(sys.modules)  # what plain Python would have loaded too

import time  # noqa: E402
_LAUNCHED = time.time()  # Python itself has started
import builtins  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
import warnings  # noqa: E402
from types import ModuleType  # noqa: E402

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore

HIDDEN = "<scalene launcher>"  # Scalene never reports files named <...>
REEXEC = "SCALENE_LAUNCHER_REEXEC"  # set once we restarted ourselves: never twice
WINDOW = "SCALENE_ALLOCATION_SAMPLING_WINDOW"
JIT = ("JAX_DISABLE_JIT", "PYTORCH_JIT")

# The originals of what Scalene replaces.
_exec, _eval, _compile, _print, _open = exec, eval, compile, print, open
_exit, _kill, _signal, _getpid = os._exit, os.kill, signal.signal, os.getpid
_excepthook = sys.excepthook
_setitimer = getattr(signal, "setitimer", None)
_sigmask = getattr(signal, "pthread_sigmask", None)
_execs = {n: getattr(os, n) for n in ("execv", "execve")}
_main_pid = _getpid()


# ---------------------------------------------------------------- the state file

class State:
    """What the parent process learns about this run; also a few facts we need ourselves."""

    def __init__(self, request):
        self.path = request["state_file"]
        self.floor = Floor(request)
        self.save_blocks = None  # of a program that marks some
        self.cpu0 = (0.0, 0.0)
        self.messages = []  # what Scalene wanted to print
        self.finishing = False  # the program is over, its profile is being written
        self.window = {}  # what was measured at the end of the window
        self.data = {
            "phase": "starting", "pid": _main_pid, "scalene_version": None,
            "python_version": "%d.%d.%d" % sys.version_info[:3], "error": None,
            "warnings": [], "program_started_at": None, "program_ended_at": None,
            "exit_code": None, "exception": None, "max_rss_bytes": None,
            "user_cpu_sec": None, "system_cpu_sec": None,
            "replaced_by_exec": False, "scalene_messages": "", "floor": None, "calls": None,
        }

    def warn(self, text):
        if text not in self.data["warnings"]:
            self.data["warnings"].append(text)

    def started(self):
        if resource:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            self.cpu0 = (usage.ru_utime, usage.ru_stime)
        self.write(phase="running", program_started_at=time.time())
        self.begin_limit()

    def begin_limit(self):
        try:  # the time limit counts from here
            _open(self.path + ".begun", "w").close()
        except OSError:
            pass

    def ended(self, exit_code, exception=None):
        """The program's own code is over; the profile is not yet written."""
        self.finishing = True
        if self.save_blocks is not None:
            self.save_blocks()
        fields = {"program_ended_at": time.time(), "exit_code": exit_code, "exception": exception,
                  "floor": self.floor.figures()}
        if resource:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            unit = 1 if sys.platform == "darwin" else 1024
            fields["max_rss_bytes"] = usage.ru_maxrss * unit
            fields["user_cpu_sec"] = round(usage.ru_utime - self.cpu0[0], 6)
            fields["system_cpu_sec"] = round(usage.ru_stime - self.cpu0[1], 6)
        fields.update(self.window)
        self.write(**fields)

    def fail(self, kind, message, **fields):
        self.write(phase="failed", error={"kind": kind, "message": message}, **fields)

    def write(self, **fields):
        if _getpid() != _main_pid:  # a forked child has its own life
            return
        self.data.update(fields)
        self.data["scalene_messages"] = "".join(self.messages)[-4000:]
        temp = "%s.%d.tmp" % (self.path, _main_pid)
        try:
            with _open(temp, "w", encoding="utf-8") as f:
                f.write(json.dumps(self.data))
            os.replace(temp, self.path)
        except OSError:
            pass  # a full disk must not stop the program


# ---------------------------------------------------------------- what no hot line removes

class Floor:
    """What the program costs whichever of its lines is made quicker: imports and collections."""

    def __init__(self, request):
        self.root = os.path.join(request["own_root"], "")
        self.libraries = tuple(os.path.join(path, "") for path in request["own_libraries"])
        self.imports = None  # seconds by module; those of one do not contain those of another
        self.gc_sec, self.collections = 0.0, None
        self.on_gc = None
        self.restarted = REEXEC in os.environ

    def begin(self):
        """Just before the program's first line."""
        self.time_imports()
        self.time_collections()

    def time_imports(self):
        # Every import of a module that is not loaded yet takes the module's lock for as long as
        # it lasts, and lets it go again.  Timed there, we are not on the stack meanwhile, and
        # neither finders nor loaders nor tracebacks change.
        bootstrap = sys.modules.get("_frozen_importlib")
        manager = getattr(bootstrap, "_ModuleLockManager", None)
        if not isinstance(manager, type):
            return
        self.imports = imports = {}
        stacks, clock, thread, add = {}, time.perf_counter, threading.get_ident, self.add

        class TimedLockManager(manager):
            def __init__(self, name):
                manager.__init__(self, name)
                self.timed_name = name

            def __enter__(self):
                self.timed_stack = stacks.setdefault(thread(), [])
                self.timed_parts = {}
                self.timed_stack.append(self.timed_parts)
                self.timed_since = clock()
                return manager.__enter__(self)

            def __exit__(self, *error):
                took, stack = clock() - self.timed_since, self.timed_stack
                while stack and stack.pop() is not self.timed_parts:
                    pass
                try:
                    add(self.timed_name, took, self.timed_parts, stack[-1] if stack else imports)
                except Exception:
                    pass  # a figure less
                return manager.__exit__(self, *error)

        hide(TimedLockManager.__init__, TimedLockManager.__enter__, TimedLockManager.__exit__, Floor.add)
        bootstrap._ModuleLockManager = TimedLockManager

    def add(self, name, took, parts, whole):
        """Seconds of one import.  A library has all that it imports; of the program's own modules
        each has what it does itself, and what it imports stands beside it."""
        module = sys.modules.get(name)
        file = None
        if issubclass(type(module), ModuleType):  # not asking what the module makes of it
            file = object.__getattribute__(module, "__dict__").get("__file__")
        own = type(file) is str and file.startswith(self.root) and not file.startswith(self.libraries)
        if own:
            parts[name, True] = parts.get((name, True), 0.0) + took - sum(parts.values())
        else:
            parts = {(name.partition(".")[0], False): took}
        for key, seconds in parts.items():
            whole[key] = whole.get(key, 0.0) + seconds

    def time_collections(self):
        self.collections, since, clock = [0, 0, 0], [None], time.perf_counter

        def on_gc(phase, info):
            if phase == "start":
                since[0] = clock()
            elif since[0] is not None:
                self.gc_sec += clock() - since[0]
                self.collections[info["generation"]] += 1
                since[0] = None

        hide(on_gc)
        self.on_gc = on_gc
        gc.callbacks.append(on_gc)

    def figures(self):
        """For the parent process."""
        imports = sorted((self.imports or {}).items(), key=lambda item: -item[1])
        seen = self.on_gc is not None and any(f is self.on_gc for f in gc.callbacks)
        return {
            "launched_at": None if self.restarted else _LAUNCHED,
            "imports_sec": None if self.imports is None else sum(t for _, t in imports),
            "imports": [[name, t] for (name, _), t in imports[:20]],
            "gc_sec": self.gc_sec if seen else None,
            "gc_collections": self.collections if seen else None,
        }


# ---------------------------------------------------------------- the environment

def scalene_env(ScalenePreload, args):
    """The variables Scalene wants at process start, or {} where it cannot say."""
    try:
        return dict(ScalenePreload.get_preload_environ(args))
    except Exception:
        return {}


def library_loaded():
    """Is Scalene's allocation library in this process?  None: cannot tell."""
    if sys.platform != "linux":
        return None
    try:
        with _open("/proc/self/maps", "rb") as f:
            return b"libscalene" in f.read()
    except OSError:
        return None


def preload_step(st, ScalenePreload, env0):
    """Replaces Scalene's step that starts a second process `-m scalene ...`, which would
    lose us: where the environment is incomplete we restart ourselves, once."""

    def setup_preload(args):
        wanted = scalene_env(ScalenePreload, args)
        if not args.memory:
            wanted.pop(WINDOW, None)  # read by the allocation library only
        for name in JIT:
            wanted.pop(name, None)  # not needed at process start; see plain_env
        if sys.platform == "win32":  # the library is loaded later, nothing to restart for
            os.environ.update(wanted)
            return False
        missing = {k: v for k, v in wanted.items() if env0.get(k) != v}
        absent = args.memory and library_loaded() is False
        if not missing and not absent:
            return False
        if REEXEC not in env0:
            env = dict(env0)
            env.update(wanted)
            env[REEXEC] = "1"
            argv = getattr(sys, "orig_argv", None)  # 3.10
            if not argv:
                import subprocess
                flags = subprocess._args_from_interpreter_flags()
                argv = [sys.executable] + flags + [os.path.abspath(__file__)] + ARGV[1:]
            _execs["execve"](sys.executable, list(argv), env)
        if args.memory and (absent or any("LD_" in k for k in missing)):
            st.warn("memory profiling is off: Scalene's library could not be preloaded")
            args.memory = False
        return False

    return setup_preload


def without(value, unwanted, sep):
    return sep.join(p for p in value.split(sep) if not unwanted(p))


def plain_env(request, env0, package_dir, args, wanted):
    """The environment as the user's shell gave it: for the program and its children."""
    env = dict(env0)
    env.pop(REEXEC, None)
    env.pop(WINDOW, None)
    for name, sep, unwanted in (
        ("LD_PRELOAD", ":", lambda p: os.path.basename(p) == "libscalene.so"),
        ("LD_LIBRARY_PATH", ":", lambda p: p == package_dir),
        ("DYLD_INSERT_LIBRARIES", ":", lambda p: os.path.basename(p) == "libscalene.dylib"),
    ):
        if name in env and "scalene" in env[name]:
            env[name] = without(env[name], unwanted, sep)
            if not env[name]:
                del env[name]
    for name in JIT:  # Scalene < 2.1 switches the JITs off unasked: not what plain Python does
        if getattr(args, "disable_jit", False) and name in wanted:
            env[name] = wanted[name]
    for name, value in (request.get("restore_env") or {}).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def set_environ(env):
    for name in list(os.environ):
        if name not in env:
            del os.environ[name]
    for name, value in env.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


# ---------------------------------------------------------------- finding the program

class UnknownScalene(Exception):
    """What we hook into is not there."""


class Quit(Exception):
    """The program cannot start; plain Python would say `text` and exit with `code`."""

    def __init__(self, kind, text, code, message=None):
        Exception.__init__(self, text)
        self.kind, self.text, self.code = kind, text, code
        self.message = message or text.strip()


def script_path(target):
    """The script's path as plain Python puts it into __file__ and its tracebacks."""
    if os.path.isabs(target):
        return target
    if sys.platform == "win32":
        return os.path.abspath(target)
    return os.path.join(os.getcwd(), target)  # not normalized, on purpose


def is_container(path):
    """A directory or zip file with a __main__.py?"""
    if os.path.isdir(path):
        return True
    try:
        with _open(path, "rb") as f:
            if f.read(4) != b"PK\x03\x04" and not path.endswith((".zip", ".pyz")):
                return False
        import zipfile
        return zipfile.is_zipfile(path)
    except OSError:
        return False


def load_script(target, path):
    """(code, loader) of a script file."""
    from importlib.machinery import SourceFileLoader, SourcelessFileLoader

    named = path if sys.version_info >= (3, 9) else target
    try:
        with _open(path, "rb") as f:
            source = f.read()
    except OSError as e:
        what = "can't open file %r: [Errno %d] %s" % (named, e.errno or 0, e.strerror)
        raise Quit("target_not_found", "%s: %s\n" % (sys.executable, what), 2)
    if path.endswith(".pyc"):
        loader = SourcelessFileLoader("__main__", path)
        return loader.get_code("__main__"), loader
    # Bytes: the compiler itself honours BOM and coding cookie.  Absolute file name, because
    # Scalene must still find the source after the program changed directory.
    return _compile(source, path, "exec", 0, True), SourceFileLoader("__main__", named)


def show_compile_error(error, path):
    """Prints a SyntaxError of the script like plain Python."""
    if "unicode error" in str(error) or isinstance(error, ValueError):
        # Plain Python words these two differently, and only for a file that it reads itself.
        # No program code has run, so let it read the file; it cannot get past the error.
        try:
            import subprocess
            env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", REEXEC)}
            if subprocess.call([sys.executable, "-I", path], env=env, stdin=subprocess.DEVNULL):
                return
        except Exception:
            pass
    sys.excepthook(type(error), error.with_traceback(None), None)


def forget_shadowed(directory):
    """Modules that Scalene imported, but of which the program has its own in `directory`:
    plain Python would give it its own."""
    try:
        entries = os.listdir(directory)
    except OSError:
        return
    names = set()
    for entry in entries:
        stem, _, ext = entry.partition(".")
        if stem not in sys.modules or stem in _MODULES0 or stem in ("scalene", "__main__"):
            continue
        full = os.path.join(directory, entry)
        if ext == "py" or ext.endswith(("so", "pyd")):
            pass
        elif not ext and os.path.isfile(os.path.join(full, "__init__.py")):
            full = os.path.join(full, "__init__.py")
        else:
            continue
        have = getattr(sys.modules[stem], "__file__", None)
        if have and os.path.realpath(have) != os.path.realpath(full):  # no file: built in
            names.add(stem)
    if names:
        keep_for_scalene(names)


def keep_for_scalene(names):
    """Takes the top-level modules `names` away from the program, but lets all code that was
    loaded before it (Scalene, and what Scalene uses) go on importing them."""
    ours = {k: v for k, v in sys.modules.items() if k.partition(".")[0] in names}
    early = {id(m.__dict__): m for k, m in list(sys.modules.items())
             if hasattr(m, "__dict__") and not k.endswith("_main__")}
    for name in ours:
        del sys.modules[name]
    lock, real_import = threading.RLock(), builtins.__import__

    def import_(name, globals=None, locals=None, fromlist=(), level=0):
        if id(globals) not in early or level == 0 and name.partition(".")[0] not in names:
            return real_import(name, globals, locals, fromlist, level)
        with lock:  # a short exchange of the two sets of modules
            theirs = {k: sys.modules.pop(k) for k in list(sys.modules) if k.partition(".")[0] in names}
            sys.modules.update(ours)
            try:
                return real_import(name, globals, locals, fromlist, level)
            finally:
                for k in [k for k in sys.modules if k.partition(".")[0] in names]:
                    ours[k] = sys.modules.pop(k)
                sys.modules.update(theirs)

    hide(import_)
    builtins.__import__ = import_


def program_dir(request, path0):
    """What Scalene shall regard as the program's directory."""
    if request["mode"] == "function":
        return os.getcwd()
    if request["mode"] == "script":
        path = script_path(request["target"])
        if os.path.isdir(path):
            return os.path.abspath(path)
        return os.path.dirname(os.path.realpath(path) if os.path.islink(path) else os.path.abspath(path))
    # A module: the current directory, where `python -m` looks first; or, if the module
    # lives elsewhere (PYTHONPATH, editable install), its own top directory.
    from importlib.machinery import PathFinder
    cwd = os.getcwd()
    try:
        top = PathFinder.find_spec(request["target"].partition(".")[0], [path0 or cwd] + sys.path)
        if top.submodule_search_locations:
            found = os.path.abspath(list(top.submodule_search_locations)[0])
        else:
            found = os.path.dirname(os.path.abspath(top.origin))
    except Exception:
        return cwd
    inside = (os.path.join(cwd, ""), os.path.join(sys.prefix, ""), os.path.join(sys.base_prefix, ""))
    return cwd if os.path.join(found, "").startswith(inside) else found


# ---------------------------------------------------------------- blocks that the program marks

class Blocks:
    """Finds `scalene_mcp_blocks`, where the program has none of its own."""
    name = "scalene_mcp_blocks"

    def __init__(self, path, st):
        self.path, self.st = path, st

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        from importlib.machinery import ModuleSpec
        return ModuleSpec(name, self, origin=self.path)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = self.path
        with _open(self.path, encoding="utf-8") as f:
            _exec(_compile(f.read(), HIDDEN, "exec"), module.__dict__)
        self.st.save_blocks = module._save


def offer_blocks(request, st):
    if request.get("blocks_file"):
        sys.meta_path.append(Blocks(request["blocks_file"], st))


# ---------------------------------------------------------------- running it

class Program:
    def __init__(self, request, st):
        self.request, self.st = request, st
        self.target, self.args = request["target"], list(request["args"])
        self.path = self.path0 = None
        self.as_module = request["mode"] == "module"
        self.driver = None  # the calls of a function
        if request["mode"] == "function":
            self.driver = load_driver(request)
        elif self.as_module:
            self.path0 = os.getcwd()
        else:
            self.path = script_path(self.target)
            if is_container(self.path):
                self.as_module, self.path0 = True, self.path
            elif _HAS_PATH0:
                # A snippet imports from the working directory, as `python -c` does.
                self.path0 = request.get("path0") or os.path.dirname(os.path.realpath(self.path))
        if not _HAS_PATH0 and self.path0 != self.path:
            self.path0 = None
        self.code = None
        self.cells, self.codes = request.get("cells"), []  # of a notebook: its files, and their code
        self.pauses = (lambda: None, lambda: None)  # where something is left out of the profile
        self.interrupted = False  # ended by KeyboardInterrupt
        self.exit = None  # the argument for sys.exit, in a tuple once known
        self.main_module = None

    def prepare(self):
        """All that plain Python does before the first line, after Scalene's own set-up."""
        main = ModuleType("__main__")
        for name in _DUNDERS:
            if name not in main.__dict__ and name in ("__annotations__", "__builtins__", "__cached__"):
                main.__dict__[name] = {} if name == "__annotations__" else globals()[name]
        if not (self.as_module or self.driver or self.cells):
            self.code, main.__loader__ = load_script(self.target, self.path)
            main.__file__ = self.path if sys.version_info >= (3, 9) else self.target
        self.main_module = sys.modules["__main__"] = main
        if "__mp_main__" in sys.modules:  # set when multiprocessing was imported
            sys.modules["__mp_main__"] = main
        own = [self.request.get("argv0") or self.target] if self.request["mode"] == "script" else ["-m"]
        sys.argv = own + self.args
        if hasattr(sys, "orig_argv"):
            head = sys.orig_argv[: len(sys.orig_argv) - len(ARGV)]
            typed = own if self.request["mode"] == "script" else ["-m", self.target]
            sys.orig_argv = head + typed + self.args
        if self.path0 is not None:
            sys.path.insert(0, self.path0)
            forget_shadowed(self.path0)
        offer_blocks(self.request, self.st)
        if self.cells:
            self.codes = compile_cells(self.cells, main.__dict__, self.st)
        if self.driver:
            sys.argv = [""]
            self.prepare_calls()

    def prepare_calls(self):
        """All that comes before the calls which are profiled: imports, `setup`, a first call."""
        self.st.begin_limit()
        for path in self.request["function"]["path"]:
            forget_shadowed(path)
        try:
            hide(*self.driver.before_window(HIDDEN))
        except Exception as e:
            if getattr(e, "error", None) is not None:
                self.driver.show(e.error)
            kind = getattr(e, "kind", "call_failed")
            raise Quit(kind, "", 1, getattr(e, "message", None) or "%s: %s" % (type(e).__name__, e))

    def run(self):
        """The program itself, start to end.  Nothing it raises gets out of here."""
        error = None
        try:
            try:
                if self.driver:
                    self.st.floor.begin()
                    self.driver.window(*self.pauses)
                elif self.cells:
                    self.st.floor.begin()
                    run_cells(self.codes, self.main_module.__dict__)
                elif self.as_module:
                    import runpy
                    self.st.floor.begin()
                    runpy._run_module_as_main(
                        self.target if self.request["mode"] == "module" else "__main__",
                        self.request["mode"] == "module")
                else:
                    self.st.floor.begin()
                    _exec(self.code, self.main_module.__dict__)
            except BaseException as e:
                error = e
                trace = e.__traceback__
                while trace is not None and trace.tb_frame.f_code.co_filename == HIDDEN:
                    trace = trace.tb_next
                error.__traceback__ = trace
            if error is not None:
                self.report(error)
            if not self.driver:  # threads of `setup` are no part of the calls
                wait_for_threads()
        except SystemExit as e:  # from a hook, or a signal while we waited
            self.exit = (e.code,)
        except KeyboardInterrupt:  # plain Python too goes on to its end here
            pass
        if self.exit is None:
            self.exit = (0,)
        name = type(error).__name__ if error is not None else None
        if self.driver:
            self.st.data["calls"] = self.driver.made
            if error is not None:
                text = "%s raised %s: %s, after %d calls or more" % (self.driver.what(), name, error, self.driver.made)
                self.st.fail("call_failed", text)
        self.st.ended(self.exit_code(), None if name == "SystemExit" else name)

    def report(self, error):
        """What plain Python does with an exception that nobody caught."""
        if isinstance(error, SystemExit):
            self.exit = (error.code,)  # re-raised at our very end, Python does the rest
            return
        self.exit = (1,)
        self.interrupted = isinstance(error, KeyboardInterrupt)
        kind, trace = type(error), error.__traceback__
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
        if sys.version_info >= (3, 12):
            sys.last_exc = error
        hook = getattr(sys, "excepthook", None)
        if hook is None:
            sys.stderr.write("sys.excepthook is missing\n")
            hook = sys.__excepthook__
        try:
            hook(kind, error, trace)
        except SystemExit as e:
            self.exit = (e.code,)
        except BaseException as e:
            sys.stderr.write("Error in sys.excepthook:\n")
            e.__traceback__ = e.__traceback__ and e.__traceback__.tb_next  # less our frame
            sys.__excepthook__(type(e), e, e.__traceback__)
            sys.stderr.write("\nOriginal exception was:\n")
            sys.__excepthook__(kind, error, trace)

    def exit_code(self):
        code = self.exit[0] if self.exit else 0
        if self.interrupted and sys.platform != "win32":
            return 130  # as a shell sees it: killed by SIGINT
        if code is None:
            return 0
        if isinstance(code, int):
            return int(code) & (0xFFFFFFFF if sys.platform == "win32" else 0xFF)
        return 1


def load_driver(request):
    """The calls of a function, from the file that also times them."""
    path = request["driver"]
    module = ModuleType("scalene_mcp_call")
    module.__file__ = path
    with _open(path, "rb") as f:
        _exec(_compile(f.read(), path, "exec", 0, True), module.__dict__)
    calls = module.Calls(request["function"])
    calls.show = module.show
    return calls


def wait_for_threads():
    """Plain Python waits for the threads at its end, after calling those who asked to be
    told.  Do it while the profile is still open, so that their work is in it."""
    if sys.version_info >= (3, 9):
        callbacks = getattr(threading, "_threading_atexits", None)
        if callbacks is None:
            return  # executors' idle threads would never end: leave all to Python
        while callbacks:
            callbacks.pop()()
    main = threading.main_thread()
    if threading.current_thread() is not main:  # a fork in a thread
        return
    while True:
        waiting = [t for t in threading.enumerate() if t is not main and not t.daemon]
        if not waiting:
            return
        for t in waiting:
            t.join(0.2)


def leave_threads(program):
    """Ends the process although threads of `setup` never end."""
    program.driver.close()
    until = time.time() + 1.0
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(until - time.time(), 0.0))
            if thread.is_alive():
                for stream in (sys.stdout, sys.stderr):
                    try:
                        stream.flush()
                    except Exception:
                        pass
                _exit(program.exit_code())


# ---------------------------------------------------------------- notebooks

CELL_TEXTS = {}  # what ran, by file: Scalene parses the source of what it lists
PYTHON_CELLS = ("time", "timeit", "capture", "prun")  # magics of a whole cell whose text is Python


def compile_cells(cells, space, st):
    """The code of each cell; what is no Python is left out and said."""
    import ast
    codes, skipped = [], []
    for number, path in cells:
        with _open(path, encoding="utf-8") as f:
            text = f.read()
        flags = getattr(ast, "PyCF_ALLOW_TOP_LEVEL_AWAIT", 0)
        text, left_out = only_python(text, lambda text: _compile(text, path, "exec", flags, True))
        skipped += ["cell %d, line %d: %s" % (number, line, what) for line, what in left_out]
        if text is not None:
            CELL_TEXTS[path] = text
            codes.append(_compile(text, path, "exec", flags, True))
    if skipped:
        more = "; %d more" % (len(skipped) - 20) if len(skipped) > 20 else ""
        st.warn("skipped, since it is no Python: " + "; ".join(skipped[:20]) + more)
    space.setdefault("display", show_values)
    return codes


def only_python(text, compiles):
    """A cell without its magics and shell lines, each line where it was; and what was left out."""
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return None, []
    head = lines[first].strip()
    if head.startswith("%%"):
        left_out = [(first + 1, head)]
        if head[2:].split(None, 1)[0:1] not in [[word] for word in PYTHON_CELLS]:
            return None, left_out
        lines[first] = "# " + lines[first]
    else:
        left_out = []
        try:
            compiles(text)
            return text, left_out
        except (SyntaxError, ValueError):
            pass
    for number, line in enumerate(lines):
        said = line.strip()
        value = said.partition("=")[2].strip()
        assigned = value[:1] in ("!", "%") and said.partition("=")[0].strip().replace("_", "a").isalnum()
        if said[:1] in ("%", "!", "?") or said.endswith("?") or assigned:
            indent = line[: len(line) - len(line.lstrip())]
            timed = said[len("%time "):] if said.startswith("%time ") else None
            lines[number] = indent + (timed or "pass  # " + said)
            if not timed:
                left_out.append((number + 1, said))
    return "\n".join(lines), left_out


def show_values(*values, **kw):
    """What stands in for the notebook's `display`."""
    for value in values:
        _print(value)


def run_cells(codes, space):
    """One cell after the other, in one namespace; `await` at the top is as in a notebook."""
    loop = None
    try:
        for code in codes:
            if not code.co_flags & 0x80:  # no coroutine
                _exec(code, space)
                continue
            if loop is None:
                import asyncio
                loop = asyncio.new_event_loop()
                asyncio.set_event_loop(loop)
            _at_its_await(code, loop.run_until_complete)(_eval(code, space))
    finally:
        if loop is not None:
            loop.close()


def _at_its_await(code, run):
    """A function that bears the line of the first `await` of a cell: while nothing but the event loop is on the stack, it is
    that line that waits."""
    import ast
    import dis
    starts, line = dict(dis.findlinestarts(code)), code.co_firstlineno
    for step in dis.get_instructions(code):
        line = starts.get(step.offset) or line
        if step.opname in ("GET_AWAITABLE", "GET_AITER", "BEFORE_ASYNC_WITH"):
            break
    tree = ast.parse("lambda cell: run(cell)", mode="eval")
    ast.increment_lineno(tree, line - 1)
    waits = _eval(_compile(tree, code.co_filename, "eval"), {"run": run})
    names = [name for name in ("co_name", "co_qualname") if hasattr(waits.__code__, name)]
    waits.__code__ = waits.__code__.replace(**dict.fromkeys(names, "<module>"))
    return waits


def hide(*functions):
    """Frames of these are below the program's on the stack: keep them out of profiles."""
    for f in functions:
        f.__code__ = f.__code__.replace(co_filename=HIDDEN)


def write_whole():
    """Unbuffered (-u, PYTHONUNBUFFERED), Python writes straight to the pipe, and drops the
    rest of a large write that a signal interrupts.  Scalene's timer is such a signal."""
    import io

    class FileIO(io.FileIO):
        def write(self, data):
            n = super().write(data)
            if n is None or n == memoryview(data).nbytes:  # nearly always
                return n
            rest = memoryview(data).cast("B")
            done = n
            while done < len(rest):
                n = super().write(rest[done:])
                if n is None:
                    break
                done += n
            return done

    hide(FileIO.write)
    FileIO.__module__, FileIO.__qualname__ = "_io", "FileIO"
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        buffer = getattr(stream, "buffer", None)
        if type(buffer) is not io.FileIO or stream is not getattr(sys, "__%s__" % name):
            continue
        raw = FileIO(buffer.fileno(), "wb", closefd=False)
        raw.name = buffer.name
        whole = io.TextIOWrapper(
            raw, encoding=stream.encoding, errors=stream.errors, newline=None if os.name == "nt" else "\n",
            line_buffering=stream.line_buffering, write_through=True)
        whole.mode = "w"
        setattr(sys, name, whole)
        setattr(sys, "__%s__" % name, whole)


def at_home(f, name):
    """Dresses f as the function of the builtin module behind os that it replaces."""
    f.__name__ = f.__qualname__ = name
    f.__module__ = os.name
    return f


# ---------------------------------------------------------------- taming Scalene

def quiet_print(st):
    def captured(*values, **kw):
        out = kw.get("file")
        if out not in (None, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            return _print(*values, **kw)
        sep, end = kw.get("sep"), kw.get("end")
        text = (" " if sep is None else sep).join(map(str, values)) + ("\n" if end is None else end)
        st.messages.append(text)
        if len(st.messages) > 200:
            del st.messages[0]
    return captured


def open_source(file, mode="r", *args, **kw):
    """`open` for Scalene's modules: reads sources by their own coding, and never fails on
    a wrong byte."""
    if file in CELL_TEXTS:
        import io
        return io.StringIO(CELL_TEXTS[file])
    if mode == "r" and not args and str(kw.get("encoding", "")).startswith("utf-8"):
        import tokenize
        coding = kw["encoding"]
        try:
            with _open(file, "rb") as f:
                coding = tokenize.detect_encoding(f.readline)[0]
        except SyntaxError:
            pass
        return _open(file, encoding=coding, errors="replace")
    return _open(file, mode, *args, **kw)


def tame_modules(captured, private_random):
    for name, module in list(sys.modules.items()):
        if name.startswith("scalene.") and module is not None:
            names = module.__dict__
            # A name in the module hides the builtin: catches all that Scalene prints, and
            # nothing that the program prints.
            names["print"] = captured
            if name.startswith("scalene.scalene_json"):
                names["open"] = open_source
            # Scalene draws from the global generator: a seeded program would see other
            # numbers than without profiling.
            if isinstance(names.get("random"), ModuleType):
                names["random"] = private_random


def keep_allocator_files():
    """Scalene unlinks the files of its allocator as soon as they are open.  In a sandbox it may not,
    and whoever made them removes them."""
    def tolerant(real):
        def remove(path, *args, **kw):
            try:
                return real(path, *args, **kw)
            except PermissionError:
                return None
        return remove

    try:
        from scalene import scalene_mapfile
    except ImportError:
        return
    own = ModuleType("os")
    own.__dict__.update(vars(os))
    own.unlink, own.remove = tolerant(os.unlink), tolerant(os.remove)
    scalene_mapfile.os = own


def keep_timers_for_main(cls):
    """Starts Scalene's helper threads with its timer signals blocked.  The system gives such a
    signal to any thread, and Python before 3.12 does not look at it for long when it is not the
    main one: that happens when something stops the threads for a moment, as our sampler does."""
    names = ("SIGALRM", "SIGVTALRM", "SIGPROF")
    timers = [getattr(signal, n) for n in names if hasattr(signal, n)]
    start = getattr(cls, "start", None)
    if not (start and _sigmask):
        return

    def start_with_timers_blocked(self):
        mask = _sigmask(signal.SIG_BLOCK, timers)
        try:
            return start(self)
        finally:
            _sigmask(signal.SIG_SETMASK, mask)

    cls.start = start_with_timers_blocked


def keep_term_through_forks():
    """A forked child forgets the signals that Python has noted but not handled yet. Plain Python has no handler
    for SIGTERM, so that one that comes right after the fork ends the child; with ours it would be lost."""
    mask = getattr(signal, "pthread_sigmask", None)
    if mask is None or not hasattr(os, "register_at_fork"):
        return
    before, ident = {}, threading.get_ident

    def block():
        before[ident()] = mask(signal.SIG_BLOCK, [signal.SIGTERM])

    def restore():
        was = before.pop(ident(), None)
        if was is not None:
            mask(signal.SIG_SETMASK, was)

    os.register_at_fork(before=block, after_in_parent=restore, after_in_child=restore)


def pauses(cls):
    """Two functions between which Scalene's clock, timer and allocator stand still. Its timer goes on where it was,
    so that what is measured is sampled as if it had not been interrupted."""
    stats, timer, kept = getattr(cls, "_Scalene__stats", None), getattr(signal, "ITIMER_REAL", None), []

    def allocator(done):
        if getattr(getattr(cls, "_Scalene__args", None), "memory", False):
            from scalene import pywhere
            (pywhere.set_scalene_done_true if done else pywhere.set_scalene_done_false)()

    def pause():
        left = _setitimer(timer, 0)[0] if _setitimer else 0.0
        allocator(True)
        stats.stop_clock()
        kept.append((left, time.perf_counter(), time.process_time()))

    def resume():
        left, wall, cpu = kept.pop()
        last = getattr(cls, "_Scalene__last_signal_time", None)
        try:
            last.wallclock += time.perf_counter() - wall
            last.virtual += time.process_time() - cpu
        except Exception:
            pass  # a sample with more time in it than it should
        stats.start_clock()
        allocator(False)
        if left > 0.0:
            _setitimer(timer, left)

    hide(allocator, pause, resume)
    return pause, resume


def install(st, program, request, env0):
    """Imports Scalene and hooks it.  Returns its main function."""
    import random
    import scalene
    keep_allocator_files()
    from scalene import scalene_config, scalene_profiler
    Scalene = scalene_profiler.Scalene
    st.data["scalene_version"] = getattr(scalene_config, "scalene_version", None)
    package_dir = os.path.dirname(os.path.abspath(scalene.__file__))
    for needed in ("main", "profile_code", "stop", "output_profile"):
        if not hasattr(Scalene, needed):
            raise UnknownScalene("Scalene.%s" % needed)

    import multiprocessing
    import multiprocessing.synchronize as mp_sync
    saved_mp = [(multiprocessing, n, getattr(multiprocessing, n))
                for n in ("set_start_method", "get_context")]
    saved_mp.append((mp_sync, "Lock", mp_sync.Lock))
    sys_path, executable = list(sys.path), sys.executable
    sigint = signal.getsignal(signal.SIGINT)
    captured, rng = quiet_print(st), random.Random()
    tame_modules(captured, rng)
    if hasattr(Scalene, "_generate_exponential_sample"):
        Scalene._generate_exponential_sample = staticmethod(
            lambda scale: rng.expovariate(1.0) * scale)
    # Children run as they are, through the real interpreter: no alias scripts.
    if hasattr(scalene_profiler, "redirect_python"):
        scalene_profiler.redirect_python = lambda *a, **kw: executable
    else:
        st.warn("Scalene has no redirect_python")
    keep_timers_for_main(getattr(sys.modules.get("scalene.scalene_sigqueue"), "ScaleneSigQueue", None))
    preload = getattr(scalene_profiler, "ScalenePreload", None)
    if hasattr(preload, "setup_preload"):
        preload.setup_preload = staticmethod(preload_step(st, preload, env0))
    else:
        st.warn("Scalene has no setup_preload")

    def finish(exit_code, exception=None):
        """Stops Scalene and writes the profile, from wherever we are."""
        if st.finishing:
            return
        st.ended(exit_code, exception)
        try:
            Scalene.stop()
            Scalene.output_profile([program.target] + program.args)
        except BaseException as e:
            st.fail("scalene_failed", "%s: %s" % (type(e).__name__, e))
        else:
            st.write(phase="finished")
        if _getpid() == _main_pid:  # files in /tmp
            for name in ("malloc", "memcpy"):
                try:
                    getattr(Scalene, "_Scalene__%s_mapfile" % name).cleanup()
                except Exception:
                    pass

    def quick_exit(status):
        """os._exit: Scalene makes it sys.exit, which `except`, `finally` and threads stop."""
        if st.finishing and threading.current_thread() is not threading.main_thread():
            while True:  # another thread is writing the profile and ends the process
                time.sleep(1)
        if isinstance(status, int):
            finish(status & 0xFF)
        _exit(status)

    def on_term(signum, frame):
        # Scalene's own handler enters its stop() a second time when the signal comes while it
        # is stopping, and then waits for ever (seen with multiprocessing.Pool).
        if st.finishing:
            return
        # Should Scalene still hang (seen once, with 2.0.1): end without a profile.
        import _thread
        _thread.start_new_thread(lambda: (time.sleep(10), _exit(143)), ())
        if _getpid() == _main_pid:
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except Exception:
                    pass
            finish(143, "SIGTERM")
            _exit(143)
        finish(143)  # a child ends by the signal, as its parent expects
        _signal(signum, signal.SIG_DFL)
        _kill(_getpid(), signum)

    Scalene.term_signal_handler = staticmethod(on_term)
    keep_term_through_forks()

    def replace_exec(name):
        real = _execs[name]

        def exec_(path, *rest):
            # An interval timer outlives exec: its signal would kill the new program.
            if not os.path.exists(path):  # execvp tries many
                return real(path, *rest)
            st.write(replaced_by_exec=True)
            finish(None)
            safe = threading.current_thread() is threading.main_thread()
            names = ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU")
            numbers = [getattr(signal, n) for n in names if hasattr(signal, n)]
            if safe:
                for number in numbers:  # first: a late handler would start the timer again
                    _signal(number, signal.SIG_IGN)
            if _setitimer:
                _setitimer(signal.ITIMER_REAL, 0)
                _setitimer(signal.ITIMER_VIRTUAL, 0)
            if safe:
                for number in numbers:  # ignored signals stay ignored through exec
                    _signal(number, signal.SIG_DFL)
            try:
                return real(path, *rest)
            finally:  # only reached on failure
                st.finishing = False
                st.write(replaced_by_exec=False, phase="running", program_ended_at=None,
                         exit_code=None)
                Scalene.start()

        return exec_

    profile_code = Scalene.profile_code
    trampoline = _compile("run()", HIDDEN, "exec")
    hide(Program.run, wait_for_threads, run_cells)

    def our_profile_code(self, code, the_globals, the_locals, left):
        tame_modules(captured, rng)  # some came later
        args = getattr(Scalene, "_Scalene__args", None)
        # Undo what Scalene changed for the whole process.
        sys.path[:] = sys_path
        sys.executable = executable
        for module, name, value in saved_mp:
            setattr(module, name, value)
        try:
            multiprocessing.set_start_method(None, force=True)
        except Exception:
            pass
        builtins.exec, builtins.eval, builtins.compile = _exec, _eval, _compile
        # Scalene wraps every function of os; found under their home module's name too, they
        # can be pickled again (pool.apply(os.getpid)).
        home = sys.modules[os.name]  # posix or nt
        os._exit = at_home(quick_exit, "_exit")
        for name in _execs:
            setattr(os, name, at_home(replace_exec(name), name))
        for name, f in vars(os).items():
            if callable(f) and getattr(f, "__module__", "") == home.__name__ and hasattr(home, name):
                setattr(home, name, f)
        if sigint is not None:
            _signal(signal.SIGINT, sigint)
        wanted = scalene_env(preload, args) if preload else {}
        set_environ(plain_env(request, env0, package_dir, args, wanted))
        import tempfile
        tempfile.tempdir = None  # to be found anew, in the program's environment
        warnings_guard.__exit__(None, None, None)
        # Scalene's thousands of objects stay till the end: the collector need not look at them,
        # neither while the program runs nor at exit (which is a tenth of a second quicker).
        gc.freeze()
        try:
            program.prepare()
        except Quit as e:
            sys.stderr.write(e.text)
            program.exit = (e.code,)
            st.fail(e.kind, e.message, exit_code=e.code)
            return e.code
        except (SyntaxError, ValueError) as e:
            show_compile_error(e, program.path)
            program.exit = (1,)
            st.fail("syntax_error", str(e), exit_code=1, exception=type(e).__name__)
            return 1
        name_program(program.path or program.target)
        if request.get("window"):  # only a part of the run is profiled
            source = {"__name__": HIDDEN, "_signal": _signal, "_kill": _kill, "_getpid": _getpid, "_open": _open}
            with _open(request["window"]["code"], encoding="utf-8") as f:
                _exec(_compile(f.read(), HIDDEN, "exec"), source)
            source["Window"](
                request["window"], Scalene, args, st, [program.target] + program.args).prepare()
        st.started()
        status = profile_code(self, trampoline, {"run": run}, {}, [program.target] + program.args)
        return status

    program.pauses = pauses(Scalene)

    def run():
        program.run()
        if program.as_module and getattr(program.main_module, "__file__", None):
            name_program(program.main_module.__file__)

    run.__code__ = run.__code__.replace(co_filename=HIDDEN)

    def name_program(path):
        """The names that go into the profile, instead of the placeholder's."""
        for name, value in (
            ("_Scalene__program_being_profiled", os.path.abspath(path)),
            ("_Scalene__entrypoint_dir", program.path0 if request["mode"] == "script" else ""),
        ):
            if hasattr(Scalene, name):
                setattr(Scalene, name, value or "")

    Scalene.profile_code = our_profile_code
    options = list(request["scalene_args"])
    if not any(a == "--program-path" or a.startswith("--program-path=") for a in options):
        options += ["--program-path", program_dir(request, program.path0)]
    # The placeholder only has to exist, be short and end in .py.
    sys.argv = ["scalene"] + options + ["---", os.path.join(package_dir, "__main__.py")]
    return Scalene.main


def scalenes_own_way(request):
    """For a Scalene whose insides we do not know: its official command line."""
    target = [request["target"]] if request["mode"] == "script" else ["-m", request["target"]]
    sys.argv = ["scalene"] + list(request["scalene_args"]) + ["---"] + target + list(request["args"])
    import scalene.__main__
    if request["mode"] == "module" and _HAS_PATH0:
        sys.path.insert(0, os.getcwd())
    scalene.__main__.main()


# ---------------------------------------------------------------- start and end

ARGV = list(sys.argv)
warnings_guard = warnings.catch_warnings()


def main():
    with _open(ARGV[1], encoding="utf-8") as f:
        request = json.load(f)
    st = State(request)
    st.write()
    env0 = dict(os.environ)
    write_whole()
    program = Program(request, st)
    warnings_guard.__enter__()  # `-W error` is meant for the program, not for Scalene
    warnings.simplefilter("ignore")
    code = 1
    try:
        start = install(st, program, request, env0)
    except UnknownScalene as e:
        warnings_guard.__exit__(None, None, None)
        st.warn("this Scalene has no %s: its own command line is used" % e.args[0])
        start = lambda: scalenes_own_way(request)  # noqa: E731
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        st.fail("scalene_import", "%s: %s" % (type(e).__name__, e), exit_code=1)
        sys.stderr.write("Scalene could not be imported: %s: %s\n" % (type(e).__name__, e))
        sys.exit(1)
    try:
        start()
    except SystemExit as e:
        code = e.code
    except BaseException as e:
        if program.exit is None:
            st.fail("scalene_failed", "%s: %s" % (type(e).__name__, e), exit_code=1)
            raise
        st.fail("scalene_failed", "%s: %s" % (type(e).__name__, e))
    if hasattr(signal, "SIGTERM") and threading.current_thread() is threading.main_thread():
        _signal(signal.SIGTERM, signal.SIG_DFL)  # nothing left to save
    if program.exit is None:  # the program never started
        text = "".join(st.messages).strip()
        if st.data["phase"] == "starting":
            fallback = any("own command line" in w for w in st.data["warnings"])
            if fallback:
                st.write(phase="finished", exit_code=code if isinstance(code, int) else 1)
            else:
                st.fail("scalene_failed", text or "Scalene refused to start", exit_code=1)
                code = code or 1
        if text:
            sys.stderr.write(text + "\n")
        sys.exit(code)
    if st.data["phase"] == "running":
        text = "".join(st.messages)
        if "failed to initialize" in text or "An exception of type" in text:
            st.fail("scalene_failed", text.strip()[:2000])
        else:
            st.write(phase="finished")
    if program.driver:
        leave_threads(program)
    if program.interrupted:
        sys.excepthook = lambda *a: None  # already shown
        raise KeyboardInterrupt  # Python then ends by SIGINT, after its atexit functions
    sys.exit(program.exit[0])


main()
