//! Files of a document to the model, each as soon as it is read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::doubts::{Doubts, part, share};
use super::json::RawFile;
use crate::profile::{FileProfile, LeakReport, LineNo, Source};

/// All files by path, as if memory and GPU had been measured.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) list: Vec<FileProfile>,
    /// Latest moment of a CPU sample.
    pub(super) latest: Option<f64>,
    pub(super) doubts: Doubts,
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FilesVisitor;

        impl<'de> Visitor<'de> for FilesVisitor {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of files")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Files, A::Error> {
                let mut files = Files::default();
                while let Some(path) = map.next_key::<Cow<'de, str>>()? {
                    files.take(path.into_owned(), map.next_value()?);
                }
                Ok(files.in_order())
            }
        }

        deserializer.deserialize_map(FilesVisitor)
    }
}

/// Place of a file, and of a leak report in it.
struct At<'a>(&'a str);
struct LeakAt<'a>(&'a str, &'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files[{:?}]", self.0)
    }
}

impl fmt::Display for LeakAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.leaks[{:?}]", At(self.0), self.1)
    }
}

impl Files {
    pub(super) fn take(&mut self, path: String, raw: RawFile<'_>) {
        let lines = raw.lines;
        self.latest = self.latest.into_iter().chain(lines.latest).reduce(f64::max);
        let doubts = &mut self.doubts;
        doubts.include(lines.doubts, &At(&path));
        let leaks = raw.leaks.iter().filter_map(|(line, leak)| {
            let at = LeakAt(&path, line);
            Some(LeakReport {
                line: LineNo::new(line.parse().ok()?)?,
                likelihood: doubts.read(leak.likelihood, "likelihood", &at, part)?,
            })
        });
        let leaks = leaks.collect();
        let whole = doubts.read(raw.percent_cpu_time, "percent_cpu_time", &At(&path), share);
        let whole =
            whole.unwrap_or_else(|| lines.measured.iter().map(|line| line.cpu.total()).sum());
        let mut file = FileProfile::new(path, Source::new(lines.source), lines.measured, whole);
        file.leaks = leaks;
        file.samples = lines.samples;
        self.list.push(file);
    }

    /// Adds files that come after these.
    pub(super) fn append(&mut self, mut after: Self) {
        self.list.append(&mut after.list);
        self.latest = self.latest.into_iter().chain(after.latest).reduce(f64::max);
        self.doubts.append(after.doubts);
    }

    /// By path; of two files with one path the last counts.
    pub(super) fn in_order(mut self) -> Self {
        self.list.reverse();
        self.list.sort_by(|a, b| a.path.cmp(&b.path));
        self.list.dedup_by(|a, b| a.path == b.path);
        self.list.shrink_to_fit();
        self
    }
}
