//! The line that moves while a program runs, on a terminal; plain lines elsewhere.

use std::io::{IsTerminal, Write};

use crate::answer::amount;
use crate::profile::Mebibytes;
use crate::recording::Event;

/// Shows progress on standard error.
pub(super) struct Live {
    terminal: bool,
    last: String,
}

impl Live {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last: String::new() }
    }

    pub(super) fn show(&mut self, event: &Event) {
        let text = match event {
            // The report has them at the end.
            Event::Seen(_) => return,
            Event::Repeat { number, of } => format!("run {number} of {of}"),
            Event::SettingUp(step) => step.clone(),
            Event::Starting => "starting".to_owned(),
            Event::Running(tick) => {
                let memory = tick.resident_bytes.map_or_else(String::new, |bytes| {
                    format!(", {} MiB resident", amount(Mebibytes::from_bytes(bytes).get().round()))
                });
                format!("running {:.1} s{memory}", tick.elapsed.as_secs_f64())
            }
            Event::Reading => "reading the profile".to_owned(),
            Event::Counting => "counting calls in one more run".to_owned(),
            Event::Timing => "timing the calls, without a profiler".to_owned(),
            Event::Plain => "timing one more run, without a profiler".to_owned(),
        };
        if self.terminal {
            eprint!("\r\x1b[2K{text}");
            // A terminal that is gone takes nothing; the report follows on standard output.
            let _ = std::io::stderr().flush();
        } else if matches!(event, Event::SettingUp(_)) && text != self.last {
            eprintln!("{text}");
            self.last = text;
        }
    }

    /// Shows a step in words, on a terminal only.
    pub(super) fn step(&self, text: &str) {
        if self.terminal {
            eprint!("\r\x1b[2K{text}");
            // See above.
            let _ = std::io::stderr().flush();
        }
    }

    pub(super) fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
    }
}
