//! Command line of Scalene 1.5: options without a subcommand.

use super::options::RecordOptions;

/// Every option this adapter may send; a test compares it with recorded help texts.
#[cfg(test)]
pub(super) const MAY_SEND: &[&str] = &[
    "--json",
    "--cli",
    "--outfile",
    "--cpu",
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

pub(super) fn arguments(options: &RecordOptions) -> Vec<String> {
    let mut args: Vec<String> = ["--json", "--cli", "--outfile"].map(str::to_owned).into();
    args.push(options.outfile.to_string_lossy().into_owned());
    // Naming one kind turns the kinds that are not named off; CPU is always on.
    args.push("--cpu".to_owned());
    super::cli::push_common(&mut args, options);
    args
}
