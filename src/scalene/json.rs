//! Scalene's JSON document as it is written, every field optional.
//!
//! One set of structs serves 1.5 to 2.4: the later formats only add keys. The comment on
//! a field says which version writes it where not all do. Numbers are read leniently
//! ([`Num`]); other surprises are handled by [`super::repair`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::spread::Sketch;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::files::Files;
use super::lines::Lines;

/// A number as found: there, not there, or something else in its place.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) enum Num {
    /// The key is missing.
    #[default]
    Absent,
    /// A number.
    Value(f64),
    /// `null`, text, a list: anything that is no number.
    Bad,
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumVisitor;

        #[expect(clippy::cast_precision_loss, reason = "no count in a profile reaches 2^53")]
        impl<'de> Visitor<'de> for NumVisitor {
            type Value = Num;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E>(self, value: f64) -> Result<Num, E> {
                Ok(Num::Value(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Num, E> {
                Ok(Num::Value(value as f64))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Num, E> {
                Ok(Num::Value(value as f64))
            }
            fn visit_unit<E>(self) -> Result<Num, E> {
                Ok(Num::Bad)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Num, E> {
                Ok(Num::Bad)
            }
            fn visit_str<E>(self, _: &str) -> Result<Num, E> {
                Ok(Num::Bad)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Num, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Num::Bad)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Num, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Num::Bad)
            }
        }

        deserializer.deserialize_any(NumVisitor)
    }
}

/// The document. An empty object means that nothing was sampled.
#[derive(Debug, Deserialize)]
pub(super) struct RawProfile<'a> {
    /// Absolute path of the script.
    #[serde(borrow, default)]
    pub(super) program: Option<Cow<'a, str>>,
    /// Command line as typed, script included; null when a signal ended the run.
    #[serde(borrow, default)]
    pub(super) args: Option<Vec<Cow<'a, str>>>,
    /// Wall time; with children, the longest of them.
    #[serde(default)]
    pub(super) elapsed_time_sec: Num,
    /// `time.perf_counter()` at the start; 1.5.55 and later.
    #[serde(default)]
    pub(super) start_time_perf: Num,
    /// Memory records read, allocations and frees.
    #[serde(default)]
    pub(super) alloc_samples: Num,
    /// Net growth over allocated volume, percent; may be negative.
    #[serde(default)]
    pub(super) growth_rate: Num,
    #[serde(default)]
    pub(super) max_footprint_mb: Num,
    #[serde(borrow, default)]
    pub(super) max_footprint_fname: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) max_footprint_lineno: Num,
    #[serde(default)]
    pub(super) max_footprint_python_fraction: Num,
    /// Whether memory was on.
    #[serde(default)]
    pub(super) memory: Option<bool>,
    /// Whether a GPU was looked for.
    #[serde(default)]
    pub(super) gpu: Option<bool>,
    /// Empty when none was found.
    #[serde(borrow, default)]
    pub(super) gpu_device: Option<Cow<'a, str>>,
    /// Footprint over time: nanoseconds since start, MiB.
    #[serde(default)]
    pub(super) samples: Vec<Vec<Num>>,
    /// Call paths: frames as `file function:line;`, outermost first, and their weight.
    #[serde(borrow, default)]
    pub(super) stacks: Vec<(Vec<Cow<'a, str>>, RawStack)>,
    /// Allocated MiB by call path, outermost frame first; 2.3 and later.
    #[serde(borrow, default)]
    pub(super) memory_stacks: Option<Vec<(Vec<RawFrame<'a>>, Num)>>,
    /// Seconds since 1970 at the start; 1.5.55 and later.
    #[serde(default)]
    pub(super) start_time_absolute: Num,
    /// Absent only in the empty document.
    #[serde(default)]
    pub(super) files: Option<Files>,
}

/// A frame of `memory_stacks`.
#[derive(Debug, Deserialize)]
pub(super) struct RawFrame<'a> {
    #[serde(borrow, default)]
    pub(super) display_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) filename_or_module: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) line: Num,
}

/// A list of moments.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Moments {
    pub(super) count: u32,
    pub(super) latest: Option<f64>,
    pub(super) sketch: Sketch,
    /// The moments themselves, as bits: to be told apart, not to be computed with.
    pub(super) bits: Vec<u64>,
}

impl<'de> Deserialize<'de> for Moments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MomentsVisitor;

        impl<'de> Visitor<'de> for MomentsVisitor {
            type Value = Moments;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of moments")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Moments, A::Error> {
                let mut moments = Moments::default();
                while let Some(moment) = seq.next_element::<Num>()? {
                    moments.count += 1;
                    if let Num::Value(at) = moment {
                        moments.latest = Some(moments.latest.map_or(at, |latest| latest.max(at)));
                        moments.sketch.take(at);
                        moments.bits.push(at.to_bits());
                    }
                }
                Ok(moments)
            }
        }

        deserializer.deserialize_seq(MomentsVisitor)
    }
}

/// A list of pairs (nanoseconds since start, MiB), of which the ends and the number matter.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Ends {
    pub(super) count: u32,
    pub(super) first: (Num, Num),
    pub(super) last: (Num, Num),
}

impl<'de> Deserialize<'de> for Ends {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EndsVisitor;

        impl<'de> Visitor<'de> for EndsVisitor {
            type Value = Ends;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of pairs")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ends, A::Error> {
                let Some(first) = seq.next_element()? else { return Ok(Ends::default()) };
                let mut ends = Ends { count: 1, first, last: first };
                // Reading the numbers of each pair would take longer than all the rest.
                let mut last = None;
                while let Some(pair) = seq.next_element::<&RawValue>()? {
                    last = Some(pair);
                    ends.count += 1;
                }
                if let Some(last) = last {
                    ends.last = serde_json::from_str(last.get()).map_err(A::Error::custom)?;
                }
                Ok(ends)
            }
        }

        deserializer.deserialize_seq(EndsVisitor)
    }
}

/// Weight of a call path; times are fractions of all sampled time.
#[derive(Debug, Deserialize)]
pub(super) struct RawStack {
    #[serde(default)]
    pub(super) count: Num,
    #[serde(default)]
    pub(super) python_time: Num,
    #[serde(default)]
    pub(super) c_time: Num,
}

/// One profiled file.
#[derive(Debug, Deserialize)]
pub(super) struct RawFile<'a> {
    #[serde(default)]
    pub(super) percent_cpu_time: Num,
    /// Every source line from 1.5.55 on, zeros included.
    #[serde(default)]
    pub(super) lines: Lines,
    /// Accusations by line number.
    #[serde(borrow, default)]
    pub(super) leaks: BTreeMap<Cow<'a, str>, RawLeak>,
}

/// An accusation of the leak detector.
#[derive(Debug, Deserialize)]
pub(super) struct RawLeak {
    #[serde(default)]
    pub(super) likelihood: Num,
}

/// One source line.
#[derive(Debug, Deserialize)]
pub(super) struct RawLine<'a> {
    #[serde(default)]
    pub(super) lineno: Num,
    /// Text with its line break; `&`, `<`, `>` as six-character escapes.
    #[serde(borrow, default)]
    pub(super) line: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) n_cpu_percent_python: Num,
    #[serde(default)]
    pub(super) n_cpu_percent_c: Num,
    #[serde(default)]
    pub(super) n_sys_percent: Num,
    #[serde(default)]
    pub(super) n_core_utilization: Num,
    /// Moments of samples; 1.5.55 and later, main thread only.
    #[serde(default)]
    pub(super) cpu_samples_list: Moments,
    #[serde(default)]
    pub(super) n_malloc_mb: Num,
    #[serde(default)]
    pub(super) n_mallocs: Num,
    /// Footprint of the whole program at the moments at which this line allocated or freed.
    #[serde(default)]
    pub(super) memory_samples: Ends,
    #[serde(default)]
    pub(super) n_avg_mb: Num,
    #[serde(default)]
    pub(super) n_peak_mb: Num,
    #[serde(default)]
    pub(super) n_python_fraction: Num,
    #[serde(default)]
    pub(super) n_copy_mb_s: Num,
    #[serde(default)]
    pub(super) n_gpu_percent: Num,
    #[serde(default)]
    pub(super) n_gpu_avg_memory_mb: Num,
    #[serde(default)]
    pub(super) n_gpu_peak_memory_mb: Num,
    /// 2.2 and later.
    #[serde(default)]
    pub(super) n_async_await_percent: Num,
    #[serde(default)]
    pub(super) start_region_line: Num,
    #[serde(default)]
    pub(super) end_region_line: Num,
}
