//! Whose machine code a thread ran when it was stopped: the interpreter's loop, other functions of the
//! interpreter, an extension, or the system's libraries.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectKind, ObjectSymbol, ReadCache};

use super::attribution::Code;

/// The function of the interpreter that executes bytecode.
const LOOP: &str = "_PyEval_EvalFrameDefault";
/// Libraries that are called by all others, so that they say nothing of who called.
const SYSTEM: [&str; 7] =
    ["libc.so", "libc-", "libm.so", "libpthread", "ld-linux", "libdl", "librt"];
/// Scalene's libraries: their time is nobody's.
const PROFILER: [&str; 2] = ["libscalene", "/scalene/"];
/// How often a map that lacks an address is read again: extensions are loaded as the program goes on.
const AGAIN: Duration = Duration::from_millis(200);

/// The machine code of one process.
pub(super) struct CodeMap {
    pid: u32,
    ranges: Vec<Mapped>,
    looped: Option<Range<u64>>,
    read: Instant,
}

/// Machine code of a file.
#[derive(Debug)]
struct Mapped {
    range: Range<u64>,
    code: Code,
    image: Image,
}

/// A file of machine code, and where its first byte is mapped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Image {
    /// As the process sees it; the kernel's own begin with `[`.
    pub(super) file: PathBuf,
    base: u64,
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
            return Some(known.code);
        }
        if self.read.elapsed() >= AGAIN {
            self.refresh();
        }
        Some(self.find(address)?.code)
    }

    /// The file whose code is at an address, and what kind that is.
    pub(super) fn image(&self, address: u64) -> Option<(&Image, Code)> {
        self.find(address).map(|found| (&found.image, found.code))
    }

    fn find(&self, address: u64) -> Option<&Mapped> {
        self.ranges.iter().find(|one| one.range.contains(&address))
    }

    fn refresh(&mut self) {
        self.read = Instant::now();
        let text = std::fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap_or_default();
        // What is known of a process that has ended stays.
        if text.is_empty() {
            return;
        }
        let program = std::fs::read_link(format!("/proc/{}/exe", self.pid)).unwrap_or_default();
        let program = program.to_string_lossy();
        let mappings: Vec<Mapping<'_>> = text.lines().filter_map(mapping).collect();
        let code = mappings.iter().filter(|one| one.rights.contains('x'));
        let profiler = |file: &str| PROFILER.iter().any(|part| file.contains(part));
        let known = code.filter(|one| !profiler(one.file));
        let base = |file: &str| mappings.iter().find(|one| one.file == file).map(Mapping::base);
        self.ranges = known
            .map(|one| Mapped {
                range: one.range.clone(),
                code: whose(one.file, &program),
                image: Image { file: one.file.into(), base: base(one.file).unwrap_or_default() },
            })
            .collect();
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

impl Mapping<'_> {
    /// Where the first byte of the file is, or would be.
    fn base(&self) -> u64 {
        self.range.start.saturating_sub(self.offset)
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
    let relative = elf.kind() == ObjectKind::Dynamic;
    let start = found.address() + if relative { base } else { 0 };
    Some(start..start + found.size())
}

/// Longest name that is kept.
const LONGEST_NAME: usize = 80;

/// A symbol as its language writes the function's name, without its parameters.
fn readable(symbol: &str) -> String {
    let options = cpp_demangle::DemangleOptions::new().no_params().no_return_type();
    let of_cpp = || {
        let symbol = cpp_demangle::BorrowedSymbol::new(symbol.as_bytes()).ok()?;
        symbol.demangle_with_options(&options).ok()
    };
    let of_rust = || rustc_demangle::try_demangle(symbol).ok().map(|name| format!("{name:#}"));
    let name = of_rust().or_else(|| symbol.starts_with("_Z").then(of_cpp).flatten());
    let mut name = name.unwrap_or_else(|| symbol.to_owned());
    if let Some((end, _)) = name.char_indices().nth(LONGEST_NAME) {
        name.truncate(end);
        name.push('…');
    }
    name
}

/// Names of the functions at addresses, which are in order; only the table of symbols is read, and of the
/// names those that are asked for.
pub(super) fn names(image: &Image, addresses: &[u64]) -> HashMap<u64, String> {
    let mut names = HashMap::new();
    let Ok(file) = File::open(&image.file) else { return names };
    let cache = ReadCache::new(file);
    let Ok(elf) = ElfFile64::<Endianness, _>::parse(&cache) else { return names };
    let base = if elf.kind() == ObjectKind::Dynamic { image.base } else { 0 };
    for symbol in elf.symbols().chain(elf.dynamic_symbols()).filter(|symbol| symbol.size() > 0) {
        let start = symbol.address().saturating_add(base);
        let end = start.saturating_add(symbol.size());
        let first = addresses.partition_point(|address| *address < start);
        let inside = { addresses.iter().skip(first) }.take_while(|address| **address < end);
        for address in inside {
            if let Ok(name) = symbol.name() {
                names.entry(*address).or_insert_with(|| readable(name));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_their_language_writes_them() {
        assert_eq!(readable("dgemm_kernel_HASWELL"), "dgemm_kernel_HASWELL");
        assert_eq!(readable("_ZN11TraceConfig12should_traceEPc"), "TraceConfig::should_trace");
        assert_eq!(readable("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
        assert_eq!(readable("_Zbroken"), "_Zbroken");
        assert_eq!(readable(&"x".repeat(200)).chars().count(), LONGEST_NAME + 1);
    }

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
