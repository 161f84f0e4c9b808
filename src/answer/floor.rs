//! What no change of a hot line removes.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{amount, count, one_line};
use crate::profile::{Floor, Profile, Seconds};

/// Most modules that are named.
const MOST_MODULES: usize = 5;
/// Smallest part of the time in imports of a module that is named.
const NAMED_PART: f64 = 0.05;

/// Seconds of one module's import.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ImportSeconds {
    /// Top package of a library, or a module of the program's own.
    pub module: String,
    /// Of a library with all that it imports, of an own module without.
    pub seconds: f64,
}

/// Time beside the hot lines; what was not measured is absent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FloorInfo {
    /// Seconds from the start of the process until Python was ready; not part of the run's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_sec: Option<f64>,
    /// Seconds of Scalene's own start after that; no part of a plain run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiler_start_sec: Option<f64>,
    /// Seconds of the run in imports of modules that Scalene had not loaded before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imports_sec: Option<f64>,
    /// The modules with most of it, a twentieth or more.
    pub imports: Vec<ImportSeconds>,
    /// Seconds of the run in the garbage collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gc_sec: Option<f64>,
    /// Number of collections, by generation from the youngest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gc_collections: Option<Vec<u64>>,
    /// Wall seconds of one run without any profiler, from the start of the process to its end (`plain_run`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_elapsed_sec: Option<f64>,
    /// The same of the profiled run, with Scalene's start and the writing of its profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiled_elapsed_sec: Option<f64>,
}

impl FloorInfo {
    /// The floor of a profile that has one.
    pub fn of(profile: &Profile) -> Option<Self> {
        let floor: &Floor = profile.floor.as_ref()?;
        let least = floor.imports.as_ref().map_or(0.0, |all| all.total.get() * NAMED_PART);
        let modules = floor.imports.iter().flat_map(|imports| &imports.modules);
        let named = modules.filter(|(_, seconds)| seconds.get() >= least).take(MOST_MODULES);
        Some(Self {
            start_sec: floor.start.map(Seconds::rounded),
            profiler_start_sec: floor.profiler_start.map(Seconds::rounded),
            imports_sec: floor.imports.as_ref().map(|imports| imports.total.rounded()),
            imports: named
                .map(|(name, seconds)| ImportSeconds {
                    module: name.clone(),
                    seconds: seconds.rounded(),
                })
                .collect(),
            gc_sec: floor.collections.as_ref().map(|found| found.total.rounded()),
            gc_collections: floor.collections.as_ref().map(|found| found.by_generation.clone()),
            plain_elapsed_sec: floor.plain.map(|run| run.plain.rounded()),
            profiled_elapsed_sec: floor.plain.map(|run| run.profiled.rounded()),
        })
    }

    /// One line.
    pub fn text(&self) -> String {
        let start = self.start_sec.map(|seconds| format!("start {} s", amount(seconds)));
        let imports = self.imports_sec.map(|seconds| {
            let named: Vec<_> = { self.imports.iter() }
                .map(|import| {
                    format!("{} {}", one_line(&import.module, 40), amount(import.seconds))
                })
                .collect();
            let named =
                if named.is_empty() { String::new() } else { format!("{}; ", named.join(", ")) };
            format!("imports {} s ({named}without what Scalene loads)", amount(seconds))
        });
        let stays: Vec<_> = [start, imports].into_iter().flatten().collect();
        let collected = self.gc_sec.zip(self.gc_collections.as_ref()).map(|(seconds, by)| {
            let number = count(by.iter().sum::<u64>(), "collection");
            let by: Vec<_> = by.iter().map(u64::to_string).collect();
            format!("GC {} s in {number} ({} by generation)", amount(seconds), by.join("/"))
        });
        let scalene = self.profiler_start_sec.map(|seconds| {
            format!("Scalene's own start {} s, not in a plain run", amount(seconds))
        });
        let stays = (!stays.is_empty())
            .then(|| format!("{} stay whichever hot line is changed", stays.join(", ")));
        let plain =
            self.plain_elapsed_sec.zip(self.profiled_elapsed_sec).map(|(plain, profiled)| {
                let times = if plain > 0.0 {
                    format!(", {} times as long", amount(profiled / plain))
                } else {
                    String::new()
                };
                format!(
                    "without a profiler {} s from start to end, profiled {} s{times}",
                    amount(plain),
                    amount(profiled)
                )
            });
        let all: Vec<_> = [stays, collected, scalene, plain].into_iter().flatten().collect();
        if all.is_empty() { String::new() } else { format!("Floor: {}\n", all.join("; ")) }
    }
}
