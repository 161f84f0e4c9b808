//! Questions about a profile.

use crate::analysis::leaks::{LeakFindings, leaks};
use crate::analysis::{
    self, CpuBasis, Finding, FunctionMetrics, GpuHotspot, Hotspot, MemoryHotspot, MemoryMetric,
};
use crate::profile::Profile;

/// Answers questions about profiles.
///
/// ```
/// use scalene_mcp::analysis::CpuBasis;
/// use scalene_mcp::{ProfileAnalyzer, ProfileParser};
///
/// let profile = ProfileParser::new().parse_file("fixtures/profiles/cpu_functions--2.4.0.json")?;
/// let analyzer = ProfileAnalyzer::new();
/// let spot = analyzer.hotspots(&profile, CpuBasis::OnCpu)[0];
/// // One loop, whose time Scalene spread over two lines.
/// assert_eq!((spot.line.number.get(), spot.end.get()), (7, 8));
/// assert_eq!(analyzer.functions(&profile)[0].name, "heavy");
/// # Ok::<(), scalene_mcp::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ProfileAnalyzer;

impl ProfileAnalyzer {
    /// An analyzer.
    pub fn new() -> Self {
        Self
    }

    /// Places by time, highest first.
    pub fn hotspots<'a>(&self, profile: &'a Profile, basis: CpuBasis) -> Vec<Hotspot<'a>> {
        analysis::cpu_hotspots(profile, basis)
    }

    /// Lines by memory, highest first.
    pub fn memory_hotspots<'a>(
        &self,
        profile: &'a Profile,
        metric: MemoryMetric,
    ) -> Vec<MemoryHotspot<'a>> {
        analysis::memory_hotspots(profile, metric)
    }

    /// Lines by GPU time, highest first; empty when no GPU was profiled
    /// ([`Measured::gpu`](crate::profile::Measured::gpu) says).
    pub fn gpu_hotspots<'a>(&self, profile: &'a Profile) -> Vec<GpuHotspot<'a>> {
        analysis::gpu_hotspots(profile)
    }

    /// Functions by CPU time, highest first.
    pub fn functions<'a>(&self, profile: &'a Profile) -> Vec<FunctionMetrics<'a>> {
        analysis::functions(profile)
    }

    /// Places where the numbers are high and the source shows a pattern with a known cost, most
    /// severe first. [`rules`](crate::analysis::rules) lists the patterns.
    ///
    /// ```
    /// use scalene_mcp::{ProfileAnalyzer, ProfileParser};
    ///
    /// let profile = ProfileParser::new().parse_file("fixtures/profiles/recursion_fib--2.4.0.json")?;
    /// let found = &ProfileAnalyzer::new().bottlenecks(&profile)[0];
    /// assert_eq!(found.rule.id, "recursion-without-cache");
    /// # Ok::<(), scalene_mcp::Error>(())
    /// ```
    pub fn bottlenecks<'a>(&self, profile: &'a Profile) -> Vec<Finding<'a>> {
        analysis::findings(profile)
    }

    /// Memory that is kept more and more of; `None` when memory was not profiled.
    ///
    /// ```
    /// use scalene_mcp::{ProfileAnalyzer, ProfileParser};
    ///
    /// let profile = ProfileParser::new().parse_file("fixtures/profiles/leak_list--2.0.1.json")?;
    /// let found = ProfileAnalyzer::new().memory_leaks(&profile).unwrap();
    /// assert!(found.growth.unwrap().steady);
    /// assert_eq!(found.leaks[0].line.get(), 13);
    /// # Ok::<(), scalene_mcp::Error>(())
    /// ```
    pub fn memory_leaks<'a>(&self, profile: &'a Profile) -> Option<LeakFindings<'a>> {
        leaks(profile)
    }
}
