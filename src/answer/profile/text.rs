//! The same answer for a reader.

use super::{ProfileAnswer, StatusInfo, TopLine};
use crate::answer::NextCall;
use crate::answer::environment::EnvironmentInfo;
use crate::answer::output::OutputInfo;
use crate::answer::per_call::PerCallInfo;
use crate::answer::test_run::TestsInfo;
use crate::answer::text::{amount, amount_or_dash, count, table};
use crate::answer::window::{DriveInfo, WindowInfo};
use crate::answer::{Answer, budget, listing, next};

impl Answer for ProfileAnswer {
    fn profile(&self) -> Option<&str> {
        (self.status != StatusInfo::Running).then_some(&self.profile_id)
    }

    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let mut text = self.headline();
        if let Some(progress) = &self.progress {
            text.push_str(&progress.text());
            text.push_str(&self.interim_text(progress.sampled_sec));
        }
        text.extend(self.window.as_ref().map(WindowInfo::text));
        text.extend(self.drive.as_ref().map(DriveInfo::text));
        text.extend(self.tests.as_ref().map(TestsInfo::text));
        text.extend(self.per_call.as_ref().map(PerCallInfo::text));
        text.push_str(&self.lines_text());
        text.push_str(&self.memory_text());
        text.push_str(&self.resident_text());
        text.push_str(&self.gpu_text());
        text.push_str(&self.call_paths_text());
        for block in &self.blocks {
            text.push_str(&format!("Block {block}\n"));
        }
        if let Some(path) = &self.loaded_from {
            text.push_str(&format!(
                "Loaded from {path}: interpreter, output and end are not recorded there\n"
            ));
        }
        for error in &self.errors {
            text.push_str(&format!("Error: {error}\n"));
        }
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        text.extend(self.stdout.as_ref().map(|output| output.text("stdout")));
        text.extend(self.stderr.as_ref().map(|output| output.text("stderr")));
        let cut = |output: &Option<OutputInfo>| {
            output.as_ref().is_some_and(|output| output.omitted_bytes > 0)
        };
        if cut(&self.stdout) || cut(&self.stderr) {
            text.push_str(&format!(
                "(more of it: resource profile://{}/output)\n",
                self.profile_id
            ));
        }
        text.extend(self.environment.as_ref().map(EnvironmentInfo::text));
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}

impl ProfileAnswer {
    fn headline(&self) -> String {
        let mut parts = vec![format!("{}  {}", self.profile_id, self.program)];
        match self.status {
            StatusInfo::Complete => {}
            StatusInfo::Partial => parts.push("partial profile".to_owned()),
            StatusInfo::Running => parts.push("running".to_owned()),
        }
        parts.extend(self.outcome.as_ref().map(|outcome| outcome.description.clone()));
        if let Some(summary) = &self.summary {
            parts.extend(summary.runs.map(|runs| format!("mean of {runs} runs")));
            let within = listing::within(summary.elapsed_interval_sec);
            parts.extend(
                summary
                    .elapsed_time_sec
                    .map(|s| format!("{}{within} s wall (profiled)", amount(s))),
            );
            parts.extend(
                summary
                    .plain_elapsed_sec
                    .map(|s| format!("{} s from start to end without a profiler", amount(s))),
            );
            parts.extend(summary.max_footprint_mb.map(|mib| format!("peak +{} MiB", amount(mib))));
            parts.extend(summary.average_memory_mb.map(|mib| format!("mean +{} MiB", amount(mib))));
            parts.push(summary.cpu_samples.map_or_else(
                || "number of samples unknown".to_owned(),
                |samples| count(samples, "sample"),
            ));
            parts.push(format!(
                "{} in {} sampled",
                count(summary.num_lines as u64, "line"),
                count(summary.num_functions as u64, "function")
            ));
        }
        format!("{}\n", parts.join("   "))
    }

    fn interim_text(&self, sampled: Option<f64>) -> String {
        let Some(sampled) = sampled.filter(|_| !self.top_lines.is_empty()) else {
            return String::new();
        };
        let row = |line: &TopLine| {
            let place = format!("{} {}  {}", line.location, line.function_name, line.content);
            let share = format!("{} %", amount(line.percent_of_total));
            vec![share, amount_or_dash(line.time_sec), line.kind.clone(), place]
        };
        let rows: Vec<_> = self.top_lines.iter().map(row).collect();
        let table = table(&["share", "s", "doing", "line"], &rows);
        format!("So far, from {} s of stacks\n{table}", amount(sampled))
    }

    fn lines_text(&self) -> String {
        let Some(cpu) = &self.cpu_profile else { return String::new() };
        let seconds = |value| format!("{} s", amount_or_dash(value));
        let mut text = format!(
            "Python {}, native {}, system/waiting {} ({})\n",
            seconds(cpu.total_python_time_sec),
            seconds(cpu.total_c_time_sec),
            seconds(cpu.total_system_time_sec),
            cpu.basis
        );
        if cpu.total == 0 {
            return text;
        }
        let threshold = self.summary.as_ref().map_or(0.0, |summary| summary.cpu_percent_threshold);
        text.push_str(&format!(
            "Where the time goes ({} of {} places, {} % of the sampled time; places below {} % not listed)\n",
            cpu.shown,
            cpu.total,
            amount_or_dash(cpu.coverage_percent),
            amount(threshold)
        ));
        if cpu.lines.0.is_empty() {
            return text;
        }
        let rows: Vec<_> = cpu
            .lines
            .0
            .iter()
            .map(|(key, line)| {
                let mut cells = line.time_cells();
                cells.push(format!(
                    "{key} {}  {}{}",
                    line.function_name.as_deref().unwrap_or_default(),
                    line.content,
                    line.aside()
                ));
                cells
            })
            .collect();
        text.push_str(&table(
            &["share", "total s", "Python s", "native s", "system s", "mostly", "line"],
            &rows,
        ));
        text
    }

    fn memory_text(&self) -> String {
        let Some(memory) = &self.memory_profile else { return String::new() };
        let at = memory.peak_at.as_ref().map_or_else(String::new, |at| format!(" while {at} ran"));
        let records = memory.memory_samples.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let resident = memory.peak_resident_mb.map_or_else(String::new, |mib| {
            format!("; resident size of the process up to {} MiB", amount(mib))
        });
        let Some(peak) = memory.peak_mb else {
            return format!(
                "Memory: no change was large enough to be sampled (below Scalene's sampling window){resident}\n"
            );
        };
        let mut text = format!(
            "Memory: footprint grew by up to {} MiB{at}; {} MiB allocated in all ({records} sampled records){resident}\n",
            amount(peak),
            amount_or_dash(memory.allocated_mb),
        );
        if memory.footprint_timeline.len() > 1 {
            let points = memory.footprint_timeline.iter();
            let points: Vec<_> =
                points.map(|[at, mib]| format!("{} s {}", amount(*at), amount(*mib))).collect();
            text.push_str(&format!(
                "Footprint, MiB (growth since the start): {}\n",
                points.join(", ")
            ));
        }
        if memory.lines.0.is_empty() {
            return text;
        }
        text.push_str(&format!(
            "Where it is allocated ({} of {} lines, {} % of the volume; peak and mean are {})\n",
            memory.shown,
            memory.total,
            amount_or_dash(memory.coverage_percent),
            memory.peak_basis.as_deref().unwrap_or_default()
        ));
        let rows: Vec<_> = memory
            .lines
            .0
            .iter()
            .map(|(key, line)| {
                let mut cells = vec![amount(line.allocated_mb), amount(line.peak_mb)];
                cells.push(amount_or_dash(line.average_mb));
                cells.push(amount_or_dash(line.python_percent));
                cells.push(amount_or_dash(line.copy_mb_per_sec));
                cells.push(format!("{key}  {}", line.content));
                cells
            })
            .collect();
        text.push_str(&table(&["MiB", "peak", "mean", "Python %", "copied MiB/s", "line"], &rows));
        text
    }

    fn resident_text(&self) -> String {
        let points = self.summary.iter().flat_map(|summary| &summary.resident_timeline);
        let points: Vec<_> =
            points.map(|[at, mib]| format!("{} s {}", amount(*at), amount(*mib))).collect();
        if points.is_empty() {
            return String::new();
        }
        format!("Resident size of the process, MiB: {}\n", points.join(", "))
    }

    fn gpu_text(&self) -> String {
        let Some(gpu) = &self.gpu_profile else { return String::new() };
        let mut text = format!(
            "GPU ({}): {} s of work, up to {} MiB in use ({} of {} lines)\n",
            gpu.device,
            amount_or_dash(gpu.total_gpu_time_sec),
            amount_or_dash(gpu.total_gpu_memory_mb),
            gpu.shown,
            gpu.total
        );
        let rows: Vec<_> = gpu
            .lines
            .0
            .iter()
            .map(|(key, line)| {
                vec![
                    format!("{} %", amount(line.gpu_percent)),
                    amount_or_dash(line.gpu_time_sec),
                    amount_or_dash(line.gpu_load_percent),
                    amount(line.gpu_memory_mb),
                    format!("{key}  {}", line.content),
                ]
            })
            .collect();
        text.push_str(&table(&["of the run", "GPU s", "load %", "MiB", "line"], &rows));
        text
    }

    fn call_paths_text(&self) -> String {
        let Some(paths) = &self.call_paths else { return String::new() };
        let mut text = "Heaviest call paths (share of the time of all call paths)\n".to_owned();
        for path in paths {
            text.push_str(&format!(
                "{:>5} %  {} samples  {}\n",
                amount(path.percent),
                path.samples,
                path.frames.join(" > ")
            ));
        }
        text
    }
}
