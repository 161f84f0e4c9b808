//! Command line of Scalene 2: the `run` subcommand.

use super::options::RecordOptions;
use super::version::Adapter;

/// Every option that any 2.x may be sent; a test compares it with recorded help texts.
#[cfg(test)]
pub(super) const MAY_SEND: &[&str] = &[
    "-o",
    "--cpu-only",
    "--gpu",
    "--memory",
    "--stacks",
    "--use-virtual-time",
    "--cpu-sampling-rate",
    "--allocation-sampling-window",
    "--program-path",
    "--profile-all",
    "--profile-only",
    "--profile-exclude",
];
/// From 2.2 on.
#[cfg(test)]
pub(super) const MAY_SEND_ASYNC: &[&str] = &["--async", "--no-async"];
/// From 2.3 on. Earlier versions hand it to the program.
#[cfg(test)]
pub(super) const MAY_SEND_STACKS: &[&str] = &["--no-stacks"];

pub(super) fn arguments(adapter: Adapter, options: &RecordOptions) -> Vec<String> {
    let mut args: Vec<String> = ["run", "-o"].map(str::to_owned).into();
    args.push(options.outfile.to_string_lossy().into_owned());
    if !options.memory && !options.gpu {
        args.push("--cpu-only".to_owned());
    }
    super::cli::push_common(&mut args, options);
    if adapter.knows_async() {
        args.push(if options.async_profile { "--async" } else { "--no-async" }.to_owned());
    }
    if adapter == Adapter::V2Stacks && !options.stacks {
        args.push("--no-stacks".to_owned());
    }
    args
}
