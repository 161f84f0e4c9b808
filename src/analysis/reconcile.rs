//! One account of the time from two witnesses.
//!
//! Which line takes the time is said by the stacks that were read from outside: they are exact about
//! lines, and see waits and threads that Scalene's timer misses. How the time of a line divides into
//! Python and native is said by the machine code that ran at those moments, and by Scalene where that is
//! not known. All of memory, copies and the GPU is Scalene's. Its own shares are kept beside the
//! result ([`Line::scalene`]). `docs/accuracy.md` has the reasons.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use super::thresholds::{AGREEING_POINTS, HELPERS, KNOWN_CODE, RECONCILE_SAMPLES, WITNESS_FAILED};
use crate::profile::{
    CallTree, Calls, FileProfile, Line, LineCpu, LineGpu, LineMemory, LineNo, MachineCode,
    NativeFunction, Percent, Sampling, Source, Witness,
};

/// Seconds of wall time of a line.
#[derive(Debug, Clone, Copy, Default)]
struct Seconds {
    running: f64,
    waiting: f64,
    code: MachineCode,
}

impl Seconds {
    /// Native part of the running time, from the machine code that ran.
    ///
    /// The interpreter's loop and up to [`HELPERS`] times its time in other functions of the interpreter are
    /// Python: what bytecode needs. The rest of these is builtins, and native like extensions and the
    /// system's libraries.
    fn native(&self) -> Option<f64> {
        let MachineCode { in_loop, in_interpreter, in_extensions, in_system } = self.code;
        let known = in_loop + in_interpreter + in_extensions + in_system;
        let python = in_loop + in_interpreter.min(HELPERS.value * in_loop);
        (known >= KNOWN_CODE.value * self.running && known > 0.0).then(|| 1.0 - python / known)
    }
}

/// Whether stacks can say which lines take the time: enough of them, hardly any unreadable, and none read
/// while the program ran.
pub fn usable(calls: &Calls) -> bool {
    let sampling = &calls.sampling;
    let enough = samples(calls) >= RECONCILE_SAMPLES.value;
    !mostly_failed(sampling) && !sampling.unstopped && enough
}

/// Whether so many reads made no sense that the others are doubtful.
#[expect(clippy::cast_precision_loss, reason = "a number of reads")]
pub fn mostly_failed(sampling: &Sampling) -> bool {
    let tried = (sampling.reads + sampling.failures) as f64;
    sampling.failures as f64 > WITNESS_FAILED.value * tried
}

/// Samples of equal weight that fell into the user's code.
fn samples(calls: &Calls) -> f64 {
    let own: f64 =
        { calls.tree.nodes.iter() }.map(|node| node.wall_running + node.wall_waiting).sum();
    let all = calls.sampling.attributed;
    if all > 0.0 { calls.sampling.effective_samples() * (own / all).min(1.0) } else { 0.0 }
}

/// Gives lines the time that the stacks saw, where these are [`usable`]. `only_running` leaves waits
/// out; `source` brings the text of a file that Scalene does not list.
pub fn reconcile(
    files: &mut Vec<FileProfile>,
    calls: &Calls,
    only_running: bool,
    source: &mut dyn FnMut(&str) -> Option<Source>,
) -> Witness {
    if usable(calls) {
        timed_by_stacks(files, calls, only_running, source)
    } else {
        Witness::Scalene
    }
}

/// The same with whatever stacks there are: where nobody else measured, few are better than none.
pub fn timed_by_stacks(
    files: &mut Vec<FileProfile>,
    calls: &Calls,
    only_running: bool,
    source: &mut dyn FnMut(&str) -> Option<Source>,
) -> Witness {
    let mut seen = by_line(&calls.tree);
    if only_running {
        for line in seen.values_mut() {
            line.waiting = 0.0;
        }
    }
    let total: f64 = seen.values().map(|line| line.running + line.waiting).sum();
    if total <= 0.0 {
        return Witness::Scalene;
    }
    let mut natives = natives_by_line(&calls.tree);
    let mut times: BTreeMap<&str, BTreeMap<LineNo, Seconds>> = BTreeMap::new();
    for ((file, line), seconds) in seen {
        if let Some(line) = LineNo::new(line) {
            times.entry(file).or_default().insert(line, seconds);
        }
    }
    let scalene_samples = samples_of(files);
    let scale = Scale { total, per_sample: total / samples(calls).max(1.0) };
    let (memory, gpu) =
        (has(files, |line| line.memory.is_some()), has(files, |line| line.gpu.is_some()));
    let whole = native_part(files.iter().flat_map(|file| &file.lines));
    let undivided = Cell::new(0.0);
    for file in std::mem::take(files) {
        let own = times.remove(file.path.as_str()).unwrap_or_default();
        files.push(timed(file, &own, scale, whole, &undivided));
    }
    for (path, own) in times {
        let text = source(path).unwrap_or_default();
        let file = FileProfile::new(path.to_owned(), text, Vec::new(), Percent::ZERO);
        files.push(timed(file, &own, scale, whole, &undivided));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in files.iter_mut() {
        for line in file.lines.iter_mut().filter(|line| line.cpu.native >= line.cpu.python) {
            let found = natives.remove(&(file.path.as_str(), line.number.get()));
            line.native_functions = found.unwrap_or_default();
        }
    }
    for line in files.iter_mut().flat_map(|file| &mut file.lines) {
        if memory {
            line.memory.get_or_insert_with(LineMemory::default);
        }
        if gpu {
            line.gpu.get_or_insert_with(LineGpu::default);
        }
    }
    Witness::Stacks { scalene_samples, undivided: scale.share(undivided.get()) }
}

fn has(files: &[FileProfile], of: impl Fn(&Line) -> bool) -> bool {
    files.iter().flat_map(|file| &file.lines).any(of)
}

/// Scalene's samples, unless it took many that it does not list; as
/// [`crate::profile::Profile::cpu_samples`].
fn samples_of(files: &[FileProfile]) -> Option<u64> {
    let lines = || files.iter().flat_map(|file| &file.lines);
    let all: f64 = lines().map(|line| line.cpu.total().get()).sum();
    let unlisted: f64 =
        lines().filter(|line| line.cpu.samples == 0).map(|line| line.cpu.total().get()).sum();
    (unlisted < 0.1 * all).then(|| files.iter().map(|file| file.samples).sum())
}

/// What seconds are in shares and in samples.
#[derive(Debug, Clone, Copy)]
struct Scale {
    total: f64,
    per_sample: f64,
}

impl Scale {
    fn share(self, seconds: f64) -> Percent {
        Percent::of_whole(seconds, self.total).unwrap_or_default()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of samples, far below the limit"
    )]
    fn samples(self, seconds: f64) -> u32 {
        (seconds / self.per_sample).ceil().clamp(0.0, f64::from(u32::MAX)) as u32
    }
}

/// The file with the times of the stacks. Running seconds of which nothing says whether they are Python or native are
/// added to `undivided`.
fn timed(
    mut file: FileProfile,
    times: &BTreeMap<LineNo, Seconds>,
    scale: Scale,
    whole: Option<f64>,
    undivided: &Cell<f64>,
) -> FileProfile {
    let of_file = native_part(&file.lines).or(whole);
    let mut by_function: HashMap<Option<usize>, Vec<&Line>> = HashMap::new();
    for line in &file.lines {
        by_function.entry(file.function_index(line.number)).or_default().push(line);
    }
    let native = |number: LineNo| {
        let own = file.line(number).filter(|line| fits(line, times, scale));
        let own = own.and_then(|line| native_part([line]));
        let function = || {
            let lines = by_function.get(&file.function_index(number))?;
            native_part(lines.iter().copied())
        };
        let measured = times.get(&number).and_then(Seconds::native);
        measured.or(own).or_else(function).or(of_file)
    };
    let cpu = |number: LineNo| {
        let Seconds { running, waiting, .. } = times.get(&number).copied().unwrap_or_default();
        let part = native(number);
        if part.is_none() {
            undivided.set(undivided.get() + running);
        }
        let native = running * part.unwrap_or(0.0);
        LineCpu {
            python: scale.share(running - native),
            native: scale.share(native),
            system: scale.share(waiting),
            samples: scale.samples(running + waiting),
            core_utilization: file.line(number).and_then(|line| line.cpu.core_utilization),
        }
    };
    let mut lines: BTreeMap<LineNo, Line> =
        times.keys().map(|number| (*number, Line::timed(*number, cpu(*number)))).collect();
    for line in &file.lines {
        let cpu = cpu(line.number);
        let gpu = line.gpu.map(|gpu| LineGpu {
            share: gpu.load.map_or(gpu.share, |load| load.part_of(cpu.total())),
            ..gpu
        });
        let scalene = Some(Box::new(line.cpu));
        lines.insert(line.number, Line { cpu, scalene, gpu, spread: None, ..line.clone() });
    }
    let seconds: f64 = times.values().map(|line| line.running + line.waiting).sum();
    let mut result = FileProfile::new(
        std::mem::take(&mut file.path),
        std::mem::take(&mut file.source),
        lines.into_values().collect(),
        scale.share(seconds),
    );
    result.leaks = file.leaks;
    result.samples = u64::from(scale.samples(seconds));
    result.exact = true;
    result
}

/// Whether Scalene gives a line about as much time as the stacks do: how it divides what belongs to
/// other lines says nothing about this one.
fn fits(line: &Line, times: &BTreeMap<LineNo, Seconds>, scale: Scale) -> bool {
    let stacks = times.get(&line.number).copied().unwrap_or_default().running;
    let (stacks, scalene) = (scale.share(stacks).get(), line.cpu.on_cpu().get());
    (stacks - scalene).abs() <= AGREEING_POINTS.value.max(0.25 * stacks.max(scalene))
}

/// Least share of CPU time, in percent, of which Scalene's division into Python and native is
/// worth something: one sample of a hundred.
const DIVIDED: f64 = 1.0;

/// Native part of the time on a CPU as Scalene sees it.
fn native_part<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Option<f64> {
    let (mut native, mut all) = (0.0, 0.0);
    for line in lines {
        native += line.cpu.native.get();
        all += line.cpu.on_cpu().get();
    }
    (all >= DIVIDED).then(|| native / all)
}

/// Wall seconds by the innermost line of the user's code.
fn by_line(tree: &CallTree) -> HashMap<(&str, u32), Seconds> {
    let mut seconds: HashMap<(&str, u32), Seconds> = HashMap::new();
    for (index, own) in (0_usize..).zip(innermost(tree)) {
        let Some((node, (file, line))) = tree.nodes.get(index).zip(own) else { continue };
        if node.wall_running + node.wall_waiting > 0.0 {
            let line = seconds.entry((file, line)).or_default();
            line.running += node.wall_running;
            line.waiting += node.wall_waiting;
            line.code = line.code.plus(node.code);
        }
    }
    seconds
}

/// Functions of machine code that are told of a line.
const MOST_NATIVES: usize = 3;
/// Smallest part of a line's time, in percent, that is worth a name.
const NATIVE_PART: f64 = 10.0;

/// What machine code ran below each line, most first.
fn natives_by_line(tree: &CallTree) -> HashMap<(&str, u32), Vec<NativeFunction>> {
    let mut all: HashMap<(&str, u32), f64> = HashMap::new();
    let mut found: BTreeMap<((&str, u32), &str, &str), f64> = BTreeMap::new();
    for (node, line) in tree.nodes.iter().zip(innermost(tree)) {
        let (Some(line), seconds) = (line, node.wall_running + node.wall_waiting) else { continue };
        *all.entry(line).or_default() += seconds;
        if let Some(function) = tree.function(node.site).filter(|function| function.native) {
            *found.entry((line, &function.file, &function.name)).or_default() += seconds;
        }
    }
    let mut natives: HashMap<(&str, u32), Vec<NativeFunction>> = HashMap::new();
    for ((line, file, name), seconds) in found {
        let whole = all.get(&line).copied().unwrap_or_default();
        let part = Percent::of_whole(seconds, whole).unwrap_or_default();
        if part.get() >= NATIVE_PART {
            let library = file.rsplit('/').next().unwrap_or(file).to_owned();
            let function = NativeFunction { name: name.to_owned(), library, part };
            natives.entry(line).or_default().push(function);
        }
    }
    for functions in natives.values_mut() {
        functions.sort_by(|a, b| b.part.get().total_cmp(&a.part.get()));
        functions.truncate(MOST_NATIVES);
    }
    natives
}

/// The innermost line of the user's code on the way to each node.
pub(super) fn innermost(tree: &CallTree) -> Vec<Option<(&str, u32)>> {
    let mut all: Vec<Option<(&str, u32)>> = Vec::with_capacity(tree.nodes.len());
    // Callers come before what they call.
    for node in &tree.nodes {
        let function = tree.function(node.site).filter(|function| !function.library);
        let caller = || node.parent.and_then(|parent| *all.get(parent as usize)?);
        let own = function.map(|one| (one.file.as_str(), node.site.line)).or_else(caller);
        all.push(own);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(running: f64, in_loop: f64, in_interpreter: f64, in_extensions: f64) -> Option<f64> {
        let code = MachineCode { in_loop, in_interpreter, in_extensions, in_system: 0.0 };
        Seconds { running, waiting: 0.0, code }.native()
    }

    #[test]
    fn machine_code_divides_python_and_native() {
        assert_eq!(native(1.0, 0.25, 0.75, 0.0), Some(0.0), "plain Python");
        assert_eq!(native(1.0, 0.0, 1.0, 0.0), Some(1.0), "a builtin");
        assert_eq!(native(1.0, 0.1, 0.9, 0.0), Some(1.0 - 0.6), "both");
        assert_eq!(native(1.0, 0.25, 0.25, 0.5), Some(0.5), "an extension");
        assert_eq!(native(1.0, 0.2, 0.2, 0.0), None, "mostly unknown");
        assert_eq!(native(0.0, 0.0, 0.0, 0.0), None, "nothing");
    }
}
