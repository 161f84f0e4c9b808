"""Describes the interpreter that runs it, as one line of tagged JSON.

Started as `python -I -B -c <this text>`. The syntax stays that of Python 2.7 and 3.6,
so that an interpreter that is too old says its version and not "invalid syntax".
A .pth file or sitecustomize may have printed already: the line begins with a marker.
Scalene is located, never imported: that would take longer than all of the rest.
"""
from __future__ import print_function

import json
import os
import platform
import sys

MARKER = "@scalene-mcp-probe@"


def text(value):
    """Paths may hold bytes that are no UTF-8, and JSON may not."""
    if value is None:
        return None
    if isinstance(value, bytes) or not hasattr(os, "fsencode"):
        return value
    return os.fsencode(value).decode("utf-8", "replace")


def answer(result, **fields):
    fields["result"] = result
    print("\n" + MARKER + json.dumps(fields, sort_keys=True))
    sys.stdout.flush()


def identity():
    return {
        "version": [sys.version_info[0], sys.version_info[1], sys.version_info[2]],
        "version_text": " ".join(sys.version.split()),
        "implementation": platform.python_implementation(),
        "executable": text(sys.executable),
        "prefix": text(sys.prefix),
        "base_prefix": text(getattr(sys, "base_prefix", sys.prefix)),
        "platform": sys.platform,
        "machine": platform.machine(),
        "pointer_bits": 64 if sys.maxsize > 2 ** 32 else 32,
    }


def venv_config():
    """The keys of pyvenv.cfg: lines of `key = value`, not an INI file."""
    keys = {}
    try:
        with open(os.path.join(sys.prefix, "pyvenv.cfg"), encoding="utf-8") as lines:
            for line in lines:
                key, equals, value = line.partition("=")
                if equals:
                    keys[key.strip().lower()] = value.strip()
    except (OSError, ValueError):
        pass
    return keys


def base_executable(config):
    """The interpreter under a virtual environment.

    `sys._base_executable` names the environment's own python before 3.11, so it is
    used only when it lies outside; `home` in pyvenv.cfg is what is left.
    """
    if sys.prefix == sys.base_prefix:
        return sys.executable
    name = "python%d.%d" % sys.version_info[:2]
    home = config.get("home", "")
    candidates = [
        getattr(sys, "_base_executable", None),
        os.path.realpath(sys.executable),
        os.path.join(home, name),
        os.path.join(home, "python3"),
        os.path.join(home, "python.exe"),
    ]
    inside = os.path.join(sys.prefix, "")
    for candidate in candidates:
        if candidate and os.path.isabs(candidate) and os.path.isfile(candidate):
            if not candidate.startswith(inside):
                return candidate
    return sys.executable


def user_site(site, config):
    """The user's site-packages if a program would see them; -I hides them from us."""
    if os.environ.get("PYTHONNOUSERSITE"):
        return None
    in_venv = sys.prefix != sys.base_prefix
    if in_venv and config.get("include-system-site-packages", "false").lower() != "true":
        return None
    if hasattr(os, "getuid") and (os.getuid() != os.geteuid() or os.getgid() != os.getegid()):
        return None
    path = site.getusersitepackages()
    return path if os.path.isdir(path) else None


def site_packages(site, user):
    found = [user] if user else []
    for path in site.getsitepackages():
        if os.path.isdir(path) and path not in found:
            found.append(path)
    return found


def library_paths():
    import sysconfig

    found = set()
    for scheme in sysconfig.get_scheme_names():
        for name in sysconfig.get_path_names():
            try:
                path = sysconfig.get_path(name, scheme)
                # Scalene knows the real one, code that was imported the other.
                found.update((os.path.realpath(path), os.path.abspath(path)))
            except (KeyError, TypeError, AttributeError):
                pass  # A scheme of another system may name variables unknown here.
    return sorted(found)


def find_scalene(site, user):
    """Looks where a program started without -I would look."""
    import importlib.machinery
    import importlib.metadata
    import importlib.util

    extra = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [os.path.abspath(path) for path in extra if path]
    if user:
        site.addsitedir(user)
    spec = importlib.util.find_spec("scalene")
    folder = None
    if spec is not None and spec.origin and spec.submodule_search_locations:
        folder = os.path.dirname(spec.origin)
    version = None
    # The metadata beside the package belong to it; others may belong to a shadowed copy.
    for where in ([os.path.dirname(folder)] if folder else []) + [None]:
        search = {"path": [where]} if where else {}
        for found in importlib.metadata.distributions(name="scalene", **search):
            version = version or found.version
    if folder is None and version is None:
        return {"state": "missing"}
    if folder is None:
        return broken("its metadata (version %s) are there, its package is not" % version)
    if version is None:
        return broken("the package in %s has no metadata" % text(folder))
    suffixes = importlib.machinery.EXTENSION_SUFFIXES
    if not any(os.path.exists(os.path.join(folder, "pywhere" + end)) for end in suffixes):
        return broken("version %s in %s has no `pywhere` extension for this Python"
                      % (version, text(folder)))
    return with_library(version, folder)


def with_library(version, folder):
    name = {"linux": "libscalene.so", "darwin": "libscalene.dylib"}.get(sys.platform)
    library = os.path.join(folder, name) if name else None
    if library and not os.path.exists(library):
        known = platform.machine().lower() in ("x86_64", "amd64", "arm64", "aarch64")
        if known and sys.maxsize > 2 ** 32:
            return broken("version %s in %s lacks `%s`" % (version, text(folder), name))
        library = None
    return {"state": "found", "version": version, "package_dir": text(folder),
            "preload_library": text(library)}


def broken(reason):
    return {"state": "broken", "reason": reason}


def describe():
    import site
    import sysconfig

    config = venv_config()
    user = user_site(site, config)
    facts = identity()
    facts["base_executable"] = text(base_executable(config))
    facts["is_virtual_env"] = sys.prefix != sys.base_prefix
    facts["free_threaded"] = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    facts["cpu_count"] = os.cpu_count()
    facts["site_packages"] = [text(path) for path in site_packages(site, user)]
    facts["library_paths"] = [text(path) for path in library_paths()]
    facts["scalene"] = find_scalene(site, user)
    return facts


def main():
    if sys.version_info < (3, 8) or platform.python_implementation() != "CPython":
        answer("unsupported", **identity())
        return
    try:
        facts = describe()
    except Exception as error:
        answer("error", reason="%s: %s" % (type(error).__name__, error), **identity())
        return
    answer("ok", **facts)


main()
