//! The command line for a version: what differs is in [`super::cli_v1`] and [`super::cli_v2`].

use super::options::RecordOptions;
use super::version::Adapter;
use super::{cli_v1, cli_v2};

impl Adapter {
    /// The options for a run. The program and its arguments are not among them: the
    /// launcher hands those over (`launch.py`).
    pub fn arguments(self, options: &RecordOptions) -> Vec<String> {
        match self {
            Self::V1 => cli_v1::arguments(options),
            Self::V2 | Self::V2Async | Self::V2Stacks => cli_v2::arguments(self, options),
        }
    }
}

/// What every version spells the same way.
pub(super) fn push_common(args: &mut Vec<String>, options: &RecordOptions) {
    let mut flag = |on: bool, name: &str| {
        if on {
            args.push(name.to_owned());
        }
    };
    flag(options.memory, "--memory");
    flag(options.gpu, "--gpu");
    flag(options.stacks, "--stacks");
    flag(options.virtual_time, "--use-virtual-time");
    flag(options.scope.profile_all, "--profile-all");
    let mut value = |name: &str, value: String| args.push(format!("{name}={value}"));
    value("--cpu-sampling-rate", options.sampling_interval_sec.to_string());
    if let Some(bytes) = options.allocation_window {
        value("--allocation-sampling-window", bytes.to_string());
    }
    value("--program-path", options.scope.program_path.to_string_lossy().into_owned());
    for (name, patterns) in
        [("--profile-only", &options.scope.only), ("--profile-exclude", &options.scope.exclude)]
    {
        if !patterns.is_empty() {
            value(name, patterns.join(","));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalene::scope::Scope;

    fn options(on: bool) -> RecordOptions {
        RecordOptions {
            outfile: "/run/profile.json".into(),
            memory: on,
            gpu: on,
            stacks: on,
            async_profile: on,
            virtual_time: on,
            sampling_interval_sec: 0.01,
            allocation_window: on.then_some(4096),
            scope: Scope {
                program_path: "/p".into(),
                profile_all: on,
                only: if on { vec!["a".into(), "b".into()] } else { Vec::new() },
                exclude: if on { vec!["c".into()] } else { Vec::new() },
            },
        }
    }

    const ALL: [(&str, Adapter); 7] = [
        ("1.5.51", Adapter::V1),
        ("1.5.55", Adapter::V1),
        ("2.0.1", Adapter::V2),
        ("2.1.4", Adapter::V2),
        ("2.2.1", Adapter::V2Async),
        ("2.3.0", Adapter::V2Stacks),
        ("2.4.0", Adapter::V2Stacks),
    ];

    fn help(version: &str) -> String {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/help");
        std::fs::read_to_string(dir.join(format!("{version}.txt"))).unwrap()
    }

    /// Scalene hands options it does not know to the program, in silence.
    #[test]
    fn only_options_that_the_version_knows_are_sent() {
        for (version, adapter) in ALL {
            let help = help(version);
            let listed = |name: &str| {
                help.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| word == name)
            };
            let mut may_send = match adapter {
                Adapter::V1 => cli_v1::MAY_SEND.to_vec(),
                _ => cli_v2::MAY_SEND.to_vec(),
            };
            if adapter.knows_async() {
                may_send.extend(cli_v2::MAY_SEND_ASYNC);
            }
            if adapter == Adapter::V2Stacks {
                may_send.extend(cli_v2::MAY_SEND_STACKS);
            }
            for name in &may_send {
                assert!(listed(name), "{version} has no {name}");
            }
            for on in [false, true] {
                for arg in adapter.arguments(&options(on)).iter().filter(|arg| arg.starts_with('-'))
                {
                    let name = arg.split('=').next().unwrap();
                    assert!(
                        may_send.contains(&name),
                        "{name} is sent to {version} but not declared"
                    );
                }
            }
        }
    }

    #[test]
    fn arguments_of_each_generation() {
        insta::assert_snapshot!(
            ALL.map(|(version, adapter)| {
                format!(
                    "{version} lean: {}\n{version} full: {}\n",
                    adapter.arguments(&options(false)).join(" "),
                    adapter.arguments(&options(true)).join(" ")
                )
            })
            .concat()
        );
    }
}
