//! Whose machine code a thread ran when it was stopped: the interpreter's loop, other functions of the
//! interpreter, an extension, or the system's libraries.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol, ReadCache};

use super::attribution::Code;

/// The function of the interpreter that executes bytecode.
const LOOP: &str = "_PyEval_EvalFrameDefault";
/// Libraries that are called by all others, so that they say nothing of who called.
const SYSTEM: [&str; 7] =
    ["libc.so", "libc-", "libm.so", "libpthread", "ld-linux", "libdl", "librt"];
/// Scalene's library: its time is nobody's.
const PROFILER: &str = "libscalene";
/// How often a map that lacks an address is read again: extensions are loaded as the program goes on.
const AGAIN: Duration = Duration::from_millis(200);

/// The machine code of one process.
pub(super) struct CodeMap {
    pid: u32,
    ranges: Vec<(Range<u64>, Code)>,
    looped: Option<Range<u64>>,
    read: Instant,
}

/// A line of `/proc/PID/maps`.
struct Mapping<'a> {
    range: Range<u64>,
    rights: &'a str,
    offset: u64,
    file: &'a str,
}

impl CodeMap {
    pub(super) fn new(pid: u32) -> Self {
        let mut map = Self { pid, ranges: Vec::new(), looped: None, read: Instant::now() };
        map.refresh();
        map
    }

    /// What is at an address; `None` where that is unknown, or the interpreter's loop was not found.
    pub(super) fn at(&mut self, address: u64) -> Option<Code> {
        let looped = self.looped.clone()?;
        if looped.contains(&address) {
            return Some(Code::Loop);
        }
        if let Some(known) = self.find(address) {
            return Some(known);
        }
        if self.read.elapsed() >= AGAIN {
            self.refresh();
        }
        self.find(address)
    }

    fn find(&self, address: u64) -> Option<Code> {
        let found = self.ranges.iter().find(|(range, _)| range.contains(&address));
        found.map(|(_, code)| *code)
    }

    fn refresh(&mut self) {
        self.read = Instant::now();
        let text = std::fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap_or_default();
        let program = std::fs::read_link(format!("/proc/{}/exe", self.pid)).unwrap_or_default();
        let program = program.to_string_lossy();
        let mappings: Vec<Mapping<'_>> = text.lines().filter_map(mapping).collect();
        let code = mappings.iter().filter(|one| one.rights.contains('x'));
        let known = code.filter(|one| !one.file.contains(PROFILER));
        self.ranges = known.map(|one| (one.range.clone(), whose(one.file, &program))).collect();
        if self.looped.is_none() {
            let mut files: Vec<_> = { mappings.iter() }
                .filter(|one| one.offset == 0 && whose(one.file, &program) == Code::Interpreter)
                .collect();
            // A program that is linked with the library has no loop of its own.
            files.sort_by_key(|one| !one.file.contains("/libpython"));
            // Through the process, so that a file of its own root folder is found.
            let root = format!("/proc/{}/root", self.pid);
            self.looped = files
                .iter()
                .find_map(|one| looped(Path::new(&format!("{root}{}", one.file)), one.range.start));
        }
    }
}

fn mapping(line: &str) -> Option<Mapping<'_>> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let range = number(start)?..number(end)?;
    let (rights, offset) = (words.next()?, number(words.next()?)?);
    Some(Mapping { range, rights, offset, file: words.nth(2).unwrap_or_default() })
}

fn whose(file: &str, program: &str) -> Code {
    let name = file.rsplit('/').next().unwrap_or_default();
    if file == program || name.starts_with("libpython") {
        Code::Interpreter
    } else if file.starts_with('[') || SYSTEM.iter().any(|system| name.starts_with(system)) {
        Code::System
    } else {
        Code::Extension
    }
}

/// Where the interpreter's loop is, of a file whose first byte is mapped at `base`.
fn looped(file: &Path, base: u64) -> Option<Range<u64>> {
    let cache = ReadCache::new(File::open(file).ok()?);
    let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
    let symbols = elf.dynamic_symbols().chain(elf.symbols());
    let found = { symbols }.find(|symbol| symbol.size() > 0 && symbol.name() == Ok(LOOP))?;
    // A file that is not position independent names the addresses themselves.
    let relative = elf.kind() == object::ObjectKind::Dynamic;
    let start = found.address() + if relative { base } else { 0 };
    Some(start..start + found.size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_by_its_file() {
        let of = |file| whose(file, "/usr/bin/python3.12");
        assert_eq!(of("/usr/bin/python3.12"), Code::Interpreter);
        assert_eq!(of("/opt/py/lib/libpython3.11.so.1.0"), Code::Interpreter);
        assert_eq!(of("/lib/x86_64-linux-gnu/libc.so.6"), Code::System);
        assert_eq!(of("[vdso]"), Code::System);
        assert_eq!(of("/v/numpy/_core/_multiarray_umath.cpython-311.so"), Code::Extension);
        let line = "7f00-7fff r-xp 00001000 fe:00 185   /usr/lib/x.so";
        let one = mapping(line).unwrap();
        assert_eq!((one.range, one.offset, one.file), (0x7f00..0x7fff, 0x1000, "/usr/lib/x.so"));
        assert_eq!(mapping("7f00-7fff rw-p 00000000 00:00 0").unwrap().file, "");
    }
}
