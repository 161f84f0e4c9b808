//! Completion of what a person types into a template or a prompt.

use rmcp::ErrorData;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};

use super::{Server, prompts, resources};
use crate::profile::ProgramKind;

/// What an argument names; it decides what is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A stored profile, or a run that goes on.
    Profile,
    /// A file of a profile.
    File,
    /// A program that was profiled.
    Program,
    /// A profile or a program.
    Version,
    /// Nothing that could be guessed.
    Free,
}

/// What may follow what was typed, the likeliest first. May read files of the store.
pub(super) fn complete(
    server: &Server,
    asked: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let typed = asked.argument.value.trim_start();
    let all = match kind(&asked.r#ref, &asked.argument.name)? {
        Kind::Profile => profiles(server),
        Kind::File => files(server, asked),
        Kind::Program => programs(server),
        Kind::Version => profiles(server).into_iter().chain(programs(server)).collect(),
        Kind::Free => Vec::new(),
    };
    // The name of a file alone is enough of its path.
    let fits = |value: &String| {
        value.starts_with(typed) || value.split('/').skip(1).any(|part| part.starts_with(typed))
    };
    let mut values: Vec<_> = all.into_iter().filter(fits).collect();
    let total = u32::try_from(values.len()).ok();
    let more = values.len() > CompletionInfo::MAX_VALUES;
    values.truncate(CompletionInfo::MAX_VALUES);
    let info = CompletionInfo::with_pagination(values, total, more);
    Ok(CompleteResult::new(info.map_err(|why| ErrorData::internal_error(why, None))?))
}

fn kind(reference: &Reference, argument: &str) -> Result<Kind, ErrorData> {
    let invalid = |why: String| ErrorData::invalid_params(why, None);
    match reference {
        Reference::Prompt(prompt) => {
            let prompt = prompts::find(&prompt.name)?;
            prompt.argument(argument).map(|argument| argument.kind).map_err(invalid)
        }
        Reference::Resource(template) => {
            let templates = resources::templates();
            let known = templates.iter().find(|known| known.uri_template == template.uri);
            let known = known.ok_or_else(|| {
                let all: Vec<_> = templates.iter().map(|it| it.uri_template.as_str()).collect();
                invalid(format!("no template `{}` (templates: {})", template.uri, all.join(", ")))
            })?;
            let in_template = known.uri_template.contains(&format!("{{{argument}}}"));
            match argument {
                resources::PROFILE_ID if in_template => Ok(Kind::Profile),
                resources::FILE if in_template => Ok(Kind::File),
                _ => Err(invalid(format!("`{}` has no argument `{argument}`", template.uri))),
            }
        }
        _ => Err(invalid("`ref` is neither a prompt nor a resource".to_owned())),
    }
}

/// Runs that go on, then stored profiles, newest first; then the names that stand for the newest.
fn profiles(server: &Server) -> Vec<String> {
    let running = server.jobs.unfinished().into_iter().rev().map(|job| job.id.clone());
    let stored = server.store.list().0.into_iter().map(|summary| summary.id.to_string());
    let mut all: Vec<_> = running.chain(stored).collect();
    let names = ["latest", "previous"].into_iter().take(all.len());
    all.extend(names.map(str::to_owned));
    all
}

/// Files of the profile that was chosen before, else of the newest; those with most time first.
fn files(server: &Server, asked: &CompleteRequestParams) -> Vec<String> {
    let chosen = asked.context.as_ref().and_then(|known| known.get_argument(resources::PROFILE_ID));
    let chosen = chosen.map_or("latest", String::as_str);
    let Ok(profile) = server.store.get(chosen) else { return Vec::new() };
    let mut files: Vec<_> = profile.files.iter().collect();
    files.sort_by(|a, b| b.cpu_share.get().total_cmp(&a.cpu_share.get()));
    files.iter().map(|file| profile.display_path(&file.path).into_owned()).collect()
}

/// Programs as a profiling call takes them, those profiled last first.
fn programs(server: &Server) -> Vec<String> {
    let mut programs: Vec<String> = Vec::new();
    for summary in server.store.list().0 {
        if matches!(summary.program.kind, ProgramKind::Script | ProgramKind::Module) {
            let program = summary.program.argument();
            if !programs.contains(&program) {
                programs.push(program);
            }
        }
    }
    programs
}
