# Runs tests as `python -m pytest` or `python -m unittest` would, and tells what each of them costs.
#
#   run_tests.py request.json
#
# Each fact is a line of JSON in the file that the request names, written at once: a run that is
# ended keeps what it has.  Tests that are too quick for a profile are run again in the same
# process, all of them with their fixtures; what is told of them is their first round.  Must parse
# on Python 3.8.
import ast
import difflib
import importlib.util
import json
import os
import re
import sys
import time

clock = time.perf_counter
__unittest = True  # frames of ours are no part of what unittest shows of a failure
ENOUGH = 2.0  # seconds of tests that give a profile enough samples
LONGEST = 1500  # characters of a message
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "venv", "env", "build", "dist", "site-packages"}


class Notes:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.pid = os.getpid()

    def tell(self, event, **facts):
        if os.getpid() != self.pid:  # a test forked
            return
        facts["event"] = event
        self.file.write(json.dumps(facts) + "\n")
        self.file.flush()

    def warn(self, text):
        self.tell("warning", text=text)

    def trouble(self, kind, text, near=()):
        self.tell("trouble", kind=kind, text=cut(text), near=list(near)[:5])


def cut(text):
    text = str(text).strip()
    return text if len(text) <= LONGEST else text[: LONGEST // 3] + "\n…\n" + text[-LONGEST * 2 // 3:]


def enough():
    """More on a machine that is busy with other things: there a second has less work in it."""
    try:
        share = os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):
        share = 1.0
    return ENOUGH * min(3.0, max(1.0, share))


def modules():
    return {name.partition(".")[0] for name in list(sys.modules)} | set(sys.modules)


# ---------------------------------------------------------------- pytest

def message_of(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return cut(report.longrepr)
    path, line = crash.path, crash.lineno
    entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", None)
    place = getattr(entries[-1], "reprfileloc", None) if entries else None
    if place is not None:  # what is shown, without frames of unittest's
        path, line = place.path, place.lineno
    return cut("%s (%s:%s)" % (crash.message, os.path.basename(str(path)), line))


def make_plugin(pytest, notes):
    from _pytest import runner

    class Plugin:
        def __init__(self):
            self.fixtures, self.nested, self.first, self.enough = [], [], True, enough()
            self.deselected, self.errors, self.collected, self.called = 0, [], 0, []
            self.told, self.spent = 0, 0.0  # seconds in tests: not in reports of them, nor in what reports import

        def pytest_cmdline_main(self, config):
            option = config.option
            if getattr(option, "dist", "no") != "no" or getattr(option, "numprocesses", None):
                notes.warn("the project runs its tests in parallel (xdist): here they ran one after the other, in one process")
                option.dist, option.numprocesses, option.tx = "no", None, []

        def pytest_sessionstart(self, session):
            monitoring = getattr(sys, "monitoring", None)
            if sys.gettrace() is not None or monitoring and monitoring.get_tool(monitoring.COVERAGE_ID):
                notes.warn("a tracer is on (coverage?): it slows Python down, so that shares are distorted")

        @pytest.hookimpl(hookwrapper=True)
        def pytest_collection(self, session):
            before, began = modules(), clock()
            yield
            took = clock() - began
            self.collected = len(getattr(session, "items", ()))
            notes.tell("collected", tests=self.collected, seconds=took, imported=sorted(modules() - before))

        def pytest_collectreport(self, report):
            if report.failed:
                self.errors.append((report.nodeid, str(report.longrepr)))

        def pytest_deselected(self, items):
            self.deselected += len(items)

        @pytest.hookimpl(hookwrapper=True)
        def pytest_fixture_setup(self, fixturedef, request):
            began = clock()
            self.nested.append(0.0)
            yield
            took = clock() - began
            own = took - self.nested.pop()
            if self.nested:
                self.nested[-1] += took
            if self.first:
                where = getattr(fixturedef, "baseid", "") or ""
                name = "%s (%s)" % (fixturedef.argname, where) if where else fixturedef.argname
                self.fixtures.append([name, str(fixturedef.scope), own])

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(self, item, nextitem):
            where = {"nodeid": item.nodeid, "location": item.location}
            item.ihook.pytest_runtest_logstart(**where)
            notes.tell("begins", name=item.nodeid)
            self.fixtures = []
            reports = runner.runtestprotocol(item, nextitem=nextitem)
            item.ihook.pytest_runtest_logfinish(**where)
            fact = self.fact(item, reports)
            self.spent += sum(report.duration for report in reports)
            if len(reports) == 3 and not reports[1].skipped:
                self.called.append((item, fact["outcome"]))
            self.told += 1
            notes.tell("test", rounds=1, fixtures=self.fixtures, **fact)
            return True

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtestloop(self, session):
            """Further rounds, as long as all of them take less than is enough.  Each is all tests with their fixtures of
            every scope: so a test or a fixture has the part of the time that it has in one run."""
            outcome = yield
            self.first, rounds, each = False, 1, self.spent
            ended = outcome.excinfo is not None or session.shouldstop or session.shouldfail
            try:
                while self.called and not ended and self.spent + each < self.enough and rounds < 100000:
                    began, rounds = clock(), rounds + 1
                    ended = not self.later_round(session)
                    each = clock() - began
                    self.spent += each
            finally:
                notes.tell("rounds", rounds=rounds)

        def later_round(self, session):
            """Whether there may be another one."""
            following = [item for item, _ in self.called[1:]] + [None]
            for (item, expected), nextitem in zip(self.called, following):
                outcome = self.once_more(item, expected, nextitem)
                if outcome != expected:
                    notes.warn("%s: %s in its first round, %s in a later one: it depends on being run once, so the tests "
                               "were not repeated any further" % (item.nodeid, expected, outcome))
                    return False
                if session.shouldstop:
                    return False
            return True

        def once_more(self, item, expected, nextitem):
            """Without reports, which cost more than a quick test does."""
            if hasattr(item, "_request") and not item._request:
                item._initrequest()
            outcome = "error"
            try:
                item.ihook.pytest_runtest_setup(item=item)
                outcome = "failed"
                item.ihook.pytest_runtest_call(item=item)
                outcome = "passed"
                kept = getattr(item, "_excinfo", None)  # a unittest.TestCase keeps what it raised
                if kept:
                    outcome = "skipped" if isinstance(kept[0].value, pytest.skip.Exception) else "failed"
                    del kept[:]  # the list stays: pytest adds to it
            except (KeyboardInterrupt, pytest.exit.Exception):
                raise
            except pytest.skip.Exception:
                outcome = "skipped"
            except BaseException:
                pass
            last = outcome != expected or item.session.shouldstop  # then nothing is left for a test that follows
            try:
                item.ihook.pytest_runtest_teardown(item=item, nextitem=None if last else nextitem)
            except Exception:
                outcome = "error"
            if hasattr(item, "_request"):
                item._request = False
                item.funcargs = None
            return outcome

        def fact(self, item, reports):
            times, outcome, message = {}, "passed", None
            for report in reports:
                times[report.when] = report.duration
                if report.failed and outcome != "failed":
                    outcome = "failed" if report.when == "call" else "error"
                    message = message_of(report)
                elif report.skipped and outcome == "passed":
                    outcome = "skipped"
            return {"name": item.nodeid, "outcome": outcome, "message": message, "setup": times.get("setup", 0.0),
                    "call": times.get("call", 0.0), "teardown": times.get("teardown", 0.0)}

    return Plugin()


def mentions_coverage(words):
    """Whether the project or the caller turns pytest-cov on."""
    texts = list(words) + [os.environ.get("PYTEST_ADDOPTS", "")]
    folder = os.getcwd()
    for _ in range(6):
        for name in ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
            try:
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
                    texts.append(f.read())
            except OSError:
                pass
        folder = os.path.dirname(folder)
    return any(re.search(r"--cov\b", text) for text in texts)


def run_pytest(request, notes):
    import pytest
    notes.tell("runner", name="pytest", version=pytest.__version__)
    args = list(request["args"])
    if importlib.util.find_spec("pytest_cov") and mentions_coverage(args):
        notes.warn("pytest-cov was turned off (--no-cov): its tracing distorts what tests cost")
        args.append("--no-cov")
    args += ["-o", "cache_dir=" + request["cache"]]
    if request["keyword"]:
        args += ["-k", request["keyword"]]
    plugin = make_plugin(pytest, notes)
    code = int(pytest.main(args + request["selector"], plugins=[plugin]))
    if plugin.told:
        return code
    if plugin.errors:
        name, text = plugin.errors[0]
        more = len(plugin.errors) - 1
        notes.trouble("collection", "%s%s\n%s" % (name, " and %d more" % more if more else "", text))
    elif code == 4:
        not_found(request, notes)
    elif code == 5 and request["keyword"] and plugin.deselected:
        notes.trouble("none", "keyword `%s` matches none of %d tests" % (request["keyword"], plugin.deselected))
    elif code == 5:
        what = ", ".join(request["selector"]) or os.getcwd()
        notes.trouble("none", "pytest found no tests in %s" % what, similar_files(""))
    return code


# ---------------------------------------------------------------- what was meant

def tests_in(path):
    """Names of the tests in a file, as pytest would give them."""
    try:
        with open(path, "rb") as f:
            body = ast.parse(f.read()).body
    except (OSError, SyntaxError, ValueError):
        return []
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for node in body:
        if isinstance(node, functions) and node.name.startswith("test"):
            found.append(node.name)
        elif isinstance(node, ast.ClassDef):
            found += [node.name + "::" + each.name for each in node.body
                      if isinstance(each, functions) and each.name.startswith("test")]
    return found


def similar_files(path):
    found = []
    for folder, folders, files in os.walk(os.getcwd()):
        folders[:] = [name for name in folders if name[0] != "." and name not in SKIPPED_FOLDERS]
        found += [os.path.relpath(os.path.join(folder, name)) for name in files
                  if name.endswith(".py") and (name.startswith("test") or name.endswith("_test.py"))]
        if len(found) > 2000:
            break
    if not path:
        return sorted(found)
    by_name = {os.path.basename(file): file for file in found}
    close = difflib.get_close_matches(path, found, 5, 0.5)
    names = difflib.get_close_matches(os.path.basename(path), list(by_name), 5, 0.5)
    return close + [by_name[name] for name in names if by_name[name] not in close]


def not_found(request, notes):
    for selector in request["selector"]:
        path, _, name = selector.partition("::")
        if not os.path.exists(path):
            notes.trouble("not_found", "there is no file `%s` in %s" % (path, os.getcwd()), similar_files(path))
            return
        wanted = name.partition("[")[0]
        known = tests_in(path) if os.path.isfile(path) else []
        if wanted and wanted not in known and wanted not in {each.partition("::")[0] for each in known}:
            close = difflib.get_close_matches(wanted, known, 5, 0.3) or known
            notes.trouble("not_found", "`%s` has no test `%s`" % (path, name), [path + "::" + each for each in close])
            return
        if "[" in name:
            notes.trouble("not_found", "`%s` has no test `%s`" % (path, name), [path + "::" + wanted])
            return


# ---------------------------------------------------------------- unittest

def is_dotted(selector):
    return re.match(r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", selector) is not None and not os.path.exists(selector)


def dotted(selector):
    """A path, or a path with a name in it, as unittest takes it."""
    path, _, name = selector.partition("::")
    path = os.path.relpath(path)
    module = (path[:-3] if path.endswith(".py") else path).replace(os.sep, ".")
    return ".".join([module] + [part for part in name.split("::") if part])


def load(loader, selectors):
    import unittest
    if not selectors:
        return loader.discover(os.getcwd())
    suites = []
    for selector in selectors:
        if os.path.isdir(selector):
            inside = os.path.exists(os.path.join(selector, "__init__.py"))
            suites.append(loader.discover(selector, top_level_dir=os.getcwd() if inside else None))
        else:
            suites.append(loader.loadTestsFromName(selector if is_dotted(selector) else dotted(selector)))
    return unittest.TestSuite(suites)


def flat(suite):
    try:
        return [test for each in suite for test in flat(each)]
    except TypeError:
        return [suite]


def timed_phases(unittest, times, fixtures):
    """Times what belongs to each test, and what belongs to its class and module."""
    cases = [unittest.TestCase]
    if hasattr(unittest, "IsolatedAsyncioTestCase"):
        cases.append(unittest.IsolatedAsyncioTestCase)

    def phase(cls, name, key):
        real = cls.__dict__.get(name)
        if real is None:
            return

        def call(self, *args):
            began = clock()
            try:
                return real(self, *args)
            finally:
                facts = times.setdefault(self.id(), {})
                facts[key] = facts.get(key, 0.0) + clock() - began

        setattr(cls, name, call)

    for cls in cases:
        phase(cls, "_callSetUp", "setup")
        phase(cls, "_callTestMethod", "call")
        phase(cls, "_callTearDown", "teardown")
        phase(cls, "doCleanups", "teardown")

    def fixture(name, word, scope):
        real = getattr(unittest.TestSuite, name)

        def handle(self, test, result):
            previous = getattr(result, "_previousTestClass", None)
            began = clock()
            try:
                return real(self, test, result)
            finally:
                cls = test.__class__
                new = cls != previous if scope == "class" else cls.__module__ != getattr(previous, "__module__", None)
                if new and fixtures is not None:
                    where = cls.__qualname__ if scope == "class" else cls.__module__
                    fixtures.append(["%s (%s)" % (word, where), scope, clock() - began])

        setattr(unittest.TestSuite, name, handle)

    fixture("_handleClassSetUp", "setUpClass", "class")
    fixture("_handleModuleFixture", "setUpModule", "module")


def make_result(unittest, notes, times, fixtures):
    class Result(unittest.TextTestResult):
        def startTest(self, test):
            super().startTest(test)
            notes.tell("begins", name=test.id())
            self.outcome, self.message = "passed", None

        def note(self, outcome, message=None):
            self.outcome, self.message = outcome, message

        def addFailure(self, test, err):
            super().addFailure(test, err)
            self.note("failed", self._exc_info_to_string(err, test))

        def addError(self, test, err):
            super().addError(test, err)
            text = self._exc_info_to_string(err, test)
            if isinstance(test, unittest.TestCase):
                inside = "call" in times.get(test.id(), {})
                self.note("failed" if inside else "error", text)
            else:  # setUpClass or setUpModule
                notes.tell("test", name=test.id(), outcome="error", message=cut(text), setup=0.0, call=0.0,
                           teardown=0.0, rounds=1, fixtures=[])

        def addSubTest(self, test, subtest, err):
            super().addSubTest(test, subtest, err)
            if err is not None:
                failed = issubclass(err[0], test.failureException)
                self.note("failed" if failed else "error", self._exc_info_to_string(err, test))

        def addSkip(self, test, reason):
            super().addSkip(test, reason)
            self.note("skipped", reason)

        def addExpectedFailure(self, test, err):
            super().addExpectedFailure(test, err)
            self.note("skipped")

        def addUnexpectedSuccess(self, test):
            super().addUnexpectedSuccess(test)
            self.note("failed", "unexpected success")

        def stopTest(self, test):
            super().stopTest(test)
            facts = times.pop(test.id(), {})
            notes.tell("test", name=test.id(), outcome=self.outcome, message=self.message and cut(self.message),
                       setup=facts.get("setup", 0.0), call=facts.get("call", 0.0),
                       teardown=facts.get("teardown", 0.0), rounds=1, fixtures=list(fixtures))
            del fixtures[:]

    return Result


def run_unittest(request, notes, has_pytest):
    import unittest
    notes.tell("runner", name="unittest", version="%d.%d.%d" % sys.version_info[:3])
    keyword = request["keyword"]

    def make():
        loader = unittest.TestLoader()
        if keyword:
            loader.testNamePatterns = [keyword if "*" in keyword else "*%s*" % keyword]
        return load(loader, request["selector"]), loader

    before, began = modules(), clock()
    suite, loader = make()
    took = clock() - began
    tests = flat(suite)
    real = [test for test in tests if type(test).__name__ != "_FailedTest"]
    notes.tell("collected", tests=len(real), seconds=took, imported=sorted(modules() - before))
    if not real:
        text = "\n".join(loader.errors)
        missing = re.search(r"No module named '([\w.]+)'", text)
        named = re.search(r"(has no attribute|module '.*' has no attribute) '(\w+)'", text)
        lacks_pytest = not has_pytest and (not text or missing and missing.group(1) == "pytest")
        wanted = [s if is_dotted(s) else dotted(s) for s in request["selector"]]
        if text and (named or missing and any(name.startswith(missing.group(1)) for name in wanted)):
            near = [dotted(file) + "." + name.replace("::", ".") for file in similar_files("")[:200] for name in tests_in(file)]
            close = difflib.get_close_matches(wanted[0], near, 5, 0.3) if wanted else near
            notes.trouble("not_found", "there is no test `%s` (%s)" % (
                ", ".join(request["selector"]), (named or missing).group(0)), close)
        elif lacks_pytest:
            notes.trouble("no_pytest", "pytest is not installed for %s, and unittest finds no tests in %s" % (
                sys.executable, ", ".join(request["selector"]) or os.getcwd()))
        elif text:
            notes.trouble("collection", text)
        else:
            what = "keyword `%s` matches none of the tests" % keyword if keyword else "unittest found no tests"
            notes.trouble("none", "%s in %s" % (what, ", ".join(request["selector"]) or os.getcwd()), similar_files(""))
        return 5
    times, fixtures = {}, []
    timed_phases(unittest, times, fixtures)
    runner = unittest.TextTestRunner(resultclass=make_result(unittest, notes, times, fixtures))
    began = clock()
    ok = runner.run(suite).wasSuccessful()
    rounds, first, most = 1, clock() - began, enough()
    while clock() - began + first < most and rounds < 100000:
        result = unittest.TestResult()
        make()[0].run(result)
        rounds += 1
        times.clear()
        del fixtures[:]
        if rounds == 2 and result.wasSuccessful() != ok:
            notes.warn("the tests end otherwise when they are run a second time: they were not run a third time")
            break
    notes.tell("rounds", rounds=rounds)
    return 0 if ok else 1


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        request = json.load(f)
    notes = Notes(request["notes"])
    sys.argv[1:] = request["selector"]
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # Python put our folder there
        sys.path[0] = os.getcwd()
    has_pytest = importlib.util.find_spec("pytest") is not None
    selectors = request["selector"]
    if has_pytest and not (selectors and all(is_dotted(selector) for selector in selectors)):
        code = run_pytest(request, notes)
    else:
        code = run_unittest(request, notes, has_pytest)
    sys.exit(code)


if __name__ == "__main__":
    main()
