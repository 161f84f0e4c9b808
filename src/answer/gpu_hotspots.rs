//! Lines ranked by GPU time.

use schemars::JsonSchema;
use serde::Serialize;

use super::listing::{self, Listing};
use super::next::NextCall;
use super::text::{amount, amount_or_dash, source};
use super::{Answer, budget};
use crate::analysis::{self, GpuHotspot as Spot};
use crate::profile::{Mebibytes, Percent, Profile, Seconds};

/// A line and what the GPU did while it ran.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GpuHotspot {
    /// File, relative to the project root.
    pub file: String,
    /// Line number, from 1.
    pub line: u32,
    /// Source text.
    pub content: String,
    /// Function it belongs to.
    pub function_name: String,
    /// Seconds of GPU work while the line ran: `gpu_percent` × elapsed time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_time_sec: Option<f64>,
    /// Share of the run's time, in percent, in which the GPU worked while this line ran: the line's
    /// share of the run × the GPU's load.
    pub gpu_percent: f64,
    /// Mean load of the GPU while the line ran, percent (Scalene: `n_gpu_percent`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_load_percent: Option<f64>,
    /// Highest GPU memory in use while the line ran, MiB.
    pub gpu_memory_mb: f64,
}

/// Lines ranked by GPU time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GpuHotspotsAnswer {
    /// The profile they are from.
    pub profile_id: String,
    /// Kind of accelerator that was profiled; absent when none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Highest first; absent when no GPU was profiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hotspots: Option<Vec<GpuHotspot>>,
    /// Lines listed.
    pub shown: usize,
    /// Lines under which the GPU worked or held memory.
    pub total: usize,
    /// Share of the GPU time, in percent, that the listed lines hold; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl GpuHotspotsAnswer {
    /// Ranks the lines of a profile.
    pub fn new(profile: &Profile, limit: usize) -> Self {
        let spots = analysis::gpu_hotspots(profile);
        budget::fit(limit, listing::cap(limit), |limit| Self::with_rows(profile, &spots, limit))
    }

    fn with_rows(profile: &Profile, spots: &[Spot<'_>], limit: usize) -> Self {
        let sum =
            |count| spots.iter().take(count).map(|spot| spot.gpu.share).sum::<Percent>().get();
        let row = |spot: &Spot<'_>| GpuHotspot {
            file: profile.display_path(&spot.file.path).into_owned(),
            line: spot.line.number.get(),
            content: source(spot.file.text(spot.line.number)),
            function_name: spot.file.function_name(spot.line).to_owned(),
            gpu_time_sec: profile
                .elapsed
                .map(|elapsed| spot.gpu.share.of(elapsed))
                .map(Seconds::rounded),
            gpu_percent: spot.gpu.share.rounded(),
            gpu_load_percent: spot.gpu.load.map(Percent::rounded),
            gpu_memory_mb: Mebibytes::rounded(spot.gpu.peak_memory),
        };
        let hotspots: Vec<_> = spots.iter().take(limit).map(row).collect();
        let first = hotspots.first().map(|spot| (spot.file.as_str(), spot.line, spot.line));
        let device = profile.measured.gpu.clone();
        Self {
            profile_id: profile.id.to_string(),
            shown: hotspots.len(),
            next: listing::details_of(profile, first),
            warnings: warnings(profile, spots),
            hotspots: device.is_some().then_some(hotspots),
            total: spots.len(),
            coverage_percent: Percent::of_whole(sum(limit), sum(usize::MAX)).map(Percent::rounded),
            device,
        }
    }
}

fn warnings(profile: &Profile, spots: &[Spot<'_>]) -> Vec<String> {
    let warning = match &profile.measured.gpu {
        None => {
            "no GPU was profiled, so nothing is known of its use: the run had gpu=false, or Scalene found no \
             NVIDIA, Apple or Neuron device that it may read; profile again with gpu=true on a machine that has one"
        }
        Some(_) if spots.is_empty() => "the GPU was sampled and idle while the profiled lines ran",
        Some(_) => {
            "GPU load is the device's while the line ran; asynchronous kernels may show on a later line that waits"
        }
    };
    vec![warning.to_owned()]
}

impl Answer for GpuHotspotsAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let row = |spot: &GpuHotspot| {
            let mut cells = vec![format!("{} %", amount(spot.gpu_percent))];
            cells.extend([spot.gpu_time_sec, spot.gpu_load_percent].map(amount_or_dash));
            cells.push(amount(spot.gpu_memory_mb));
            let place = listing::place(&spot.file, spot.line, None);
            cells.push(format!("{place} {}  {}", spot.function_name, spot.content));
            cells
        };
        let headline = match &self.device {
            Some(device) => format!(
                "{}  lines by GPU time ({device}): {} of {} shown, {} % of it\n",
                self.profile_id,
                self.shown,
                self.total,
                amount_or_dash(self.coverage_percent)
            ),
            None => format!(
                "{}  lines by GPU time: {} of {}\n",
                self.profile_id, self.shown, self.total
            ),
        };
        Listing {
            headline,
            header: &["of the run", "GPU s", "load %", "GPU MiB", "line"],
            rows: self.hotspots.iter().flatten().map(row).collect(),
            legend: String::new(),
            warnings: &self.warnings,
            next: &self.next,
        }
        .text()
    }
}
