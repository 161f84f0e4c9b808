# Has Scalene on for a part of the run: from when one file is there until another one is.
#
# Executed inside launch.py where the request names a window.  Who makes the files sends SIGURG as
# well, which does nothing in a program that knows nothing of it: in the main thread alone Scalene
# can be switched.  No thread waits here: Python 3.12 warns of a fork when there is one.
import os
import resource
import signal
import time

# The originals of what Scalene replaces come from launch.py: _signal, _kill, _getpid, _open.


class Window:
    def __init__(self, window, Scalene, args, st, program_args):
        self.opens, self.closes, self.late = window["opens"], window["closes"], window["late"]
        self.Scalene, self.args, self.st, self.program_args = Scalene, args, st, program_args
        self.is_open, self.is_over, self.main = not self.late, False, _getpid()

    def prepare(self):
        """Just before the program's first line."""
        if self.late:
            self.args.off = True  # neither the program nor what it forks
        _signal(signal.SIGURG, self.on_signal)
        signal.siginterrupt(signal.SIGURG, False)

    def on_signal(self, signum, frame):
        if self.is_over:
            return
        try:  # what fails here must not come up in the middle of the program
            if not self.is_open and os.path.exists(self.opens):
                self.open()
            if self.is_open and os.path.exists(self.closes):
                self.close()
        except Exception as e:
            self.st.warn("Scalene could not be switched: %s: %s" % (type(e).__name__, e))
            self.st.write()

    def children(self):
        """What was forked has this handler as well."""
        return list(getattr(self.Scalene, "child_pids", ()))

    def tell_children(self):
        for pid in self.children():
            try:
                _kill(pid, signal.SIGURG)
            except OSError:
                pass

    def open(self):
        self.is_open, self.args.off = True, False
        self.tell_children()
        term = signal.getsignal(signal.SIGTERM)
        self.Scalene.start()
        # Scalene ends the program at this signal.  Whoever has a way of their own to end keeps it.
        if callable(term):
            _signal(signal.SIGTERM, term)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.st.cpu0 = (usage.ru_utime, usage.ru_stime)
        self.st.write(window_opened_at=time.time())
        self.done(self.opens)

    def close(self):
        """The profile is written now, whatever becomes of the program."""
        self.is_over, self.args.off = True, True
        closed_at, usage = time.time(), resource.getrusage(resource.RUSAGE_SELF)
        Scalene, output = self.Scalene, self.Scalene.output_profile
        self.tell_children()
        try:
            Scalene.stop()
            if _getpid() == self.main:
                output(self.program_args)
        except Exception as e:
            self.st.warn("Scalene could not be stopped at the end of the part: %s: %s" % (type(e).__name__, e))
        Scalene.stop = staticmethod(lambda: None)
        if _getpid() == self.main and not self.children():  # those write theirs at their end
            Scalene.output_profile = staticmethod(lambda *a: True)
        self.st.window = {
            "window_closed_at": closed_at,
            "user_cpu_sec": round(usage.ru_utime - self.st.cpu0[0], 6),
            "system_cpu_sec": round(usage.ru_stime - self.st.cpu0[1], 6),
        }
        self.st.write(**self.st.window)
        self.done(self.closes)

    def done(self, path):
        if _getpid() == self.main:
            try:
                _open(path + ".done", "w").close()
            except OSError:
                pass
