//! Large profiles: recorded files repeated, and made-up ones of any size.

use std::path::Path;

use scalene_mcp::profile::{
    Activity, FileProfile, Footprint, Fraction, Line, LineCpu, LineMemory, LineNo, Mebibytes,
    MebibytesPerSec, Percent, Profile, Seconds, Source,
};
use scalene_mcp::scalene::Parsed;

use super::recorded;

/// Lines of one made-up function, `def` and blank line included.
pub(crate) const FUNCTION_LINES: usize = 10;

/// A document of at least this many bytes, as Scalene 2.4.0 writes it: the entries of all recorded
/// documents again and again, under paths of their own.
pub(crate) fn document(bytes: usize) -> String {
    let entries = recorded_entries();
    let mut text = String::with_capacity(bytes + (1 << 20));
    text.push_str("{\n    \"alloc_samples\": 203,\n    \"args\": [\n        \"app.py\"\n    ],\n");
    text.push_str("    \"elapsed_time_sec\": 61.3578143119812012,\n    \"files\": {");
    for (count, entry) in entries.iter().cycle().enumerate() {
        let separator = if count == 0 { "\n" } else { ",\n" };
        text.push_str(&format!(
            "{separator}        \"/tmp/demo/package_{}/module_{count}.py\": {{",
            count / 50
        ));
        text.push_str(entry);
        if text.len() >= bytes {
            break;
        }
    }
    text.push_str("\n    },\n    \"gpu\": false,\n    \"gpu_device\": \"\",\n");
    text.push_str("    \"max_footprint_fname\": \"/tmp/demo/package_0/module_1.py\",\n");
    text.push_str("    \"max_footprint_lineno\": 13,\n    \"max_footprint_mb\": 416.75,\n");
    text.push_str("    \"memory\": true,\n    \"memory_stacks\": [],\n");
    text.push_str("    \"program\": \"/tmp/demo/app.py\",\n    \"samples\": []\n}\n");
    text
}

/// What follows the path of each recorded file, up to its closing brace.
fn recorded_entries() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles");
    let mut paths: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with("--2.4.0.json"));
    paths.sort();
    let mut entries = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).unwrap();
        let Some((_, files)) = text.split_once("\n    \"files\": {") else { continue };
        let files = files.split_once("\n    }").map_or("", |(files, _)| files);
        for entry in files.split("\n        \"/").skip(1) {
            let (_, rest) = entry.split_once("\": {").unwrap();
            entries.push(rest.trim_end_matches(',').to_owned());
        }
    }
    entries
}

/// A profile with every line measured: `files` of `lines` lines, a function every ten lines.
pub(crate) fn profile(files: usize, lines: usize) -> Profile {
    let parsed = Parsed {
        program: Some("/tmp/demo/app.py".to_owned()),
        args: None,
        elapsed: Seconds::from_secs(60.0),
        memory: true,
        gpu: None,
        files: (0..files).map(|index| file(index, lines, files * lines)).collect(),
        footprint: Some(Footprint {
            peak: Mebibytes::from_mib(500.0).unwrap(),
            peak_at: None,
            python_fraction: None,
            timeline: Vec::new(),
            allocation_paths: Vec::new(),
            records: Some(9),
            growth_rate_percent: None,
        }),
        call_paths: Vec::new(),
        peaks_per_visit: true,
        started_at: None,
        warnings: Vec::new(),
    };
    recorded::with(parsed, "2.4.0")
}

/// A made-up file of Python source; `all` is the number of lines of the profile.
fn file(index: usize, lines: usize, all: usize) -> FileProfile {
    let text: String = (0..lines).map(|line| source_line(index, line)).collect();
    let measured = (0..lines).map(|line| measured(index, line, all)).collect();
    let path = format!("/tmp/demo/package_{}/module_{index}.py", index / 50);
    FileProfile::new(path, Source::new(text), measured, Percent::from_percent(1.0).unwrap())
}

fn source_line(file: usize, line: usize) -> String {
    match line % FUNCTION_LINES {
        0 => format!("def handle_{file}_{line}(request, *, retries=3):\n"),
        1 => "    \"\"\"Reads the request and answers it.\"\"\"\n".to_owned(),
        2 => "    total = sum(item.price * item.count for item in request.items)\n".to_owned(),
        3 => "    for name, value in sorted(request.headers.items()):\n".to_owned(),
        4 => "        if value is not None and name.lower() not in SKIPPED:\n".to_owned(),
        5 => "            total += len(value) % 7 - (total >> 3)\n".to_owned(),
        6 => "    with lock, open(request.path, \"rb\") as stream:\n".to_owned(),
        7 => "        data = stream.read().replace(b\"\\r\\n\", b\"\\n\")\n".to_owned(),
        8 => "    return {\"total\": total, \"data\": data[:retries], \"name\": f\"{total:>5}\"}\n"
            .to_owned(),
        _ => "\n".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of lines")]
fn measured(file: usize, line: usize, all: usize) -> Line {
    // Shares that differ from line to line and add up to about 100.
    let weight = ((file * 31 + line * 17) % 101) as f64 / 50.0;
    let percent = |part: f64| Percent::from_percent(part * weight * 100.0 / all as f64).unwrap();
    let mib = |value: f64| Mebibytes::from_mib(value * weight).unwrap();
    let moment = |at: f64| (Seconds::from_secs(at).unwrap(), mib(at));
    Line {
        number: LineNo::new(u32::try_from(line + 1).unwrap()).unwrap(),
        cpu: LineCpu {
            python: percent(0.7),
            native: percent(0.2),
            system: percent(0.1),
            samples: 3,
            core_utilization: Fraction::from_fraction(0.5),
        },
        memory: Some(LineMemory {
            allocated: mib(3.0),
            peak: mib(2.0),
            average: Some(mib(1.0)),
            sampled_visits: 5,
            python_fraction: Fraction::from_fraction(0.25),
            copy_rate: MebibytesPerSec::from_mib_per_sec(weight).unwrap(),
            activity: Some(Activity { moments: 7, first: moment(1.0), last: moment(50.0) }),
        }),
        gpu: None,
        awaiting: None,
        region: None,
        spread: None,
        scalene: None,
        native_functions: Vec::new(),
    }
}

/// A profile of one module in which rules find their patterns: every line measured, some hot.
pub(crate) fn patterns(lines: usize) -> Profile {
    let mut source = String::from("import re\n\n");
    for n in 0..=lines / 8 {
        source.push_str(&format!(
            "def function_{n}(rows, names):\n    found = []\n    for row in rows:\n        if row not in found:\n\
             \x20           found.append(row * {n} + len(names))\n        value = re.match(\"a+\", str(row))\n\
             \x20   return found, value\n\n"
        ));
    }
    let mut made = profile(1, lines);
    let path = made.files.first().map(|file| file.path.clone()).unwrap_or_default();
    let mut measured: Vec<Line> = made.files.drain(..).flat_map(|file| file.lines).collect();
    for line in measured.iter_mut().skip(3).step_by((lines / 160 * 8).max(8)) {
        line.cpu.python = Percent::from_percent(4.0).unwrap();
    }
    made.files = vec![FileProfile::new(
        path,
        Source::new(source),
        measured,
        Percent::from_percent(100.0).unwrap(),
    )];
    made
}
