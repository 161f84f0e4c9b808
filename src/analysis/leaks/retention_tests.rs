//! What becomes of allocations, by example.

use super::*;
use proptest::prelude::*;

/// What becomes of the line that ends in `# here`.
fn of(source: &str) -> Retention {
    let line = source.lines().position(|line| line.ends_with("# here")).unwrap() + 1;
    Code::new(source).unwrap().retention(LineNo::new(u32::try_from(line).unwrap()).unwrap())
}

fn kept(source: &str) -> (String, bool, bool) {
    match of(source) {
        Retention::Kept(kept) => (kept.name, kept.outlives_call, kept.shrinks),
        other => panic!("{other:?}"),
    }
}

#[test]
fn containers_that_outlive_the_call() {
    for (source, name) in [
        ("C = []\ndef f(x):\n    C.append(bytes(x))  # here\n", "C"),
        ("C = {}\ndef f(x):\n    C[x] = bytes(x)  # here\n", "C"),
        ("class A:\n    def f(self, x):\n        self.seen.add(bytes(x))  # here\n", "self.seen"),
        ("def f(x, seen=[]):\n    seen.append(bytes(x))  # here\n", "seen"),
        ("N = []\ndef f(x):\n    global N\n    N += [bytes(x)]  # here\n", "N"),
        ("C = []\ndef f(x):\n    item = bytes(x)  # here\n    C.append(item)\n", "C"),
        (
            "C = []\ndef make(x):\n    return bytes(x)  # here\ndef f(x):\n    C.append(1)\n    y = make(x)\n    C.append(y)\n",
            "C",
        ),
    ] {
        assert_eq!(kept(source), (name.to_owned(), true, false), "{source}");
    }
}

#[test]
fn containers_that_give_back_or_end_with_the_call() {
    let popped = "C = []\ndef f(x):\n    C.append(bytes(x))  # here\n    if len(C) > 9: C.pop()\n";
    let deleted = "C = {}\ndef f(x):\n    C[x] = bytes(x)  # here\ndef g(x):\n    del C[x]\n";
    let bounded = "C = deque(maxlen=9)\ndef f(x):\n    C.append(bytes(x))  # here\n";
    let emptied = "class A:\n    def f(self, x):\n        self.a.append(bytes(x))  # here\n    def flush(self):\n        self.a = []\n";
    for source in [popped, deleted, bounded, emptied] {
        let (_, outlives_call, shrinks) = kept(source);
        assert!(outlives_call && shrinks, "{source}");
    }
    let local = "def f(xs):\n    out = []\n    for x in xs:\n        out.append(bytes(x))  # here\n    return out\n";
    assert!(!kept(local).1);
    let module = "out = []\nfor x in range(9):\n    out.append(bytes(x))  # here\n";
    assert!(!kept(module).1, "lives as long as the loop that fills it: a result, perhaps");
}

#[test]
fn what_is_made_of_an_object_does_not_hold_it() {
    let function =
        "C = []\ndef make(x):\n    return ' '.join(x)  # here\ndef f(x):\n    line = make(x)\n    ";
    let of_use = |use_of_line: &str| of(&format!("{function}{use_of_line}\n"));
    assert_eq!(of_use("C.extend(line.split())"), Retention::Dropped);
    assert!(matches!(of_use("C.append(line)"), Retention::Kept(_)));
    assert!(matches!(of_use("C.append(line.strip())"), Retention::Kept(_)), "may be the object");
}

#[test]
fn caches_and_registries_are_seen() {
    let cached = "@functools.lru_cache(maxsize=None)\ndef f(x):\n    data = bytes(x)  # here\n    return data\n";
    assert_eq!(kept(cached), ("@functools.lru_cache(maxsize=None) of f()".to_owned(), true, false));
    let bounded = "@lru_cache(maxsize=64)\ndef f(x):\n    return bytes(x)  # here\n";
    assert!(kept(bounded).2);
    let registry = "class W:\n    all = []\n    def __init__(self, n):\n        self.data = bytes(n)  # here\n        W.all.append(self)\n";
    assert_eq!(kept(registry).0, "W.all");
    let set = "class D:\n    def f(self, k):\n        if k in self.known:\n            return\n        self.known.add(bytes(k))  # here\n";
    assert!(matches!(of(set), Retention::Kept(kept) if kept.looked_up));
    let log = "C = []\ndef f(x):\n    C.append(bytes(x))  # here\nprint(len(C))\n";
    assert!(matches!(of(log), Retention::Kept(kept) if !kept.looked_up));
}

#[test]
fn numbers_and_locals_keep_nothing() {
    for source in [
        "class A:\n    def f(self, x):\n        self.total += load(x)  # here\n",
        "def outer(n):\n    buf = bytearray(n)\n    def put(v):\n        buf[v] = v % 256  # here\n    return put\n",
        "class A:\n    def f(self, k, x):\n        self.sums[k] = self.sums.get(k, 0) + load(x)  # here\n",
    ] {
        assert!(!matches!(of(source), Retention::Kept(_)), "{source}");
    }
    for source in [
        "def f(text):\n    fields = {}\n    for part in text:\n        fields[part] = bytes(part)  # here\n    return len(fields)\n",
        "def f(text):\n    lines = []\n    for part in text:\n        lines.append(str(part))  # here\n    return ''.join(lines)\n",
    ] {
        assert_eq!(of(source), Retention::Dropped, "{source}");
    }
    let kept_after_all = "C = []\ndef f(text):\n    row = []\n    for part in text:\n        row.append(str(part))  # here\n    C.append(row)\n";
    assert_eq!(kept(kept_after_all).0, "C");
}

#[test]
fn what_is_dropped_and_what_cannot_be_said() {
    for source in [
        "def f():\n    return [0] * 9  # here\nfor i in range(9):\n    f()\n",
        "def f(x):\n    buf = bytearray(x)  # here\n    buf[0] = 1\n    return len(buf)\n",
    ] {
        assert_eq!(of(source), Retention::Dropped, "{source}");
    }
    for source in [
        "def f():\n    return [0] * 9  # here\nkeep(f)\n",
        "def f():\n    return [0] * 9  # here\n",
        "def f():\n    return [0] * 9  # here\nfor i in range(9):\n    x = f()\n",
        "def f(x):\n    buf = bytearray(x)  # here\n    send(buf)\n",
        "def f(x):\n    buf = bytearray(x)  # here\n    return lambda: buf\n",
        "def f(x, out):\n    out.append(bytes(x))  # here\n",
        "def f(x):\n    yield bytes(x)  # here\n",
        "send(bytes(9))  # here\n",
    ] {
        assert_eq!(of(source), Retention::Unclear, "{source}");
    }
}

#[test]
fn keepers_are_those_that_only_grow() {
    let source = "A = []\nB = {}\ndef f(x):\n    A.append(x)\n    B[x] = [x]\n    y = []\n    y.append(x)\ndef g():\n    A.clear()\n";
    let keepers = Code::new(source).unwrap().keepers();
    let lines: Vec<_> =
        keepers.iter().map(|(line, kept)| (line.get(), kept.name.as_str())).collect();
    assert_eq!(lines, [(5, "B")]);
}

proptest! {
    #[test]
    fn any_source_is_answered(
        source in "(?s)(def f\\(x\\):\n|    |x = |C\\.append\\(|\\)|return |del C\\[|\\]|\n|[a-z( ])*",
        line in 1_u32..9,
    ) {
        if let Some(code) = Code::new(&source) {
            let line = LineNo::new(line).unwrap();
            let _ = (code.retention(line), code.can_repeat(line), code.keepers());
        }
    }
}
