"""Runs a program and writes the value of an expression over its globals."""

import importlib.util
import os
import sys
import types


def run():
    expression, out, kind, target = sys.argv[1:5]
    main = types.ModuleType("__main__")
    if kind == "module":
        spec = importlib.util.find_spec(target)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(target + ".__main__")
        if spec is None:
            sys.exit("No module named " + target)
        main.__spec__, main.__package__, main.__file__ = spec, spec.parent, spec.origin
        code = spec.loader.get_code(spec.name)
        sys.argv = [spec.origin] + sys.argv[5:]
    elif kind == "script":
        sys.path[0] = os.path.dirname(os.path.realpath(target))
        with open(target, "rb") as source:
            code = compile(source.read(), target, "exec")
        main.__file__ = target
        sys.argv = [target] + sys.argv[5:]
    else:
        code = compile(target, "<string>", "exec")
        sys.argv = ["-c"] + sys.argv[5:]
    sys.modules["__main__"] = main
    end = 0
    try:
        exec(code, main.__dict__)
    except SystemExit as ended:
        end = ended.code
    value = repr(eval(expression, main.__dict__))
    with open(out, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(value)
    sys.exit(end)


run()
