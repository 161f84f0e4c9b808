//! pandas data frames used row by row.

use super::super::code::{Id, Ty};
use super::super::thresholds::PLACE_SHARE;
use super::place::{Seen, Site};
use super::table::PLACE;
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const ITERROWS: Rule = Rule {
    id: "dataframe-iterrows",
    title: "a row-by-row loop over a data frame",
    kind: Kind::Cpu,
    detects: "a loop over `x.iterrows()`",
    counts: "the loop",
    advice: "Use expressions on whole columns; where a loop is needed, `itertuples` or `zip` of columns.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "`iterrows` builds a Series per row (pandas documentation, iterrows, notes)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(iterrows),
};

fn iterrows(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some((frame, "iterrows")) = seen.method(call) else { continue };
        let looped =
            seen.ancestors(call).take(4).find(|above| seen.kind(*above) == "for_statement");
        let place = looped.unwrap_or_else(|| seen.statement(call));
        let (line, name) = (seen.line(call), seen.quoted(frame));
        sites.push(Site::new(
            seen.lines(place),
            vec![seen.lines(place)],
            format!("line {line} makes a Series of every row of `{name}`"),
            format!(
                "replace the loop on line {line} by expressions on columns of `{name}`; if rows are \
                 needed, use `{name}.itertuples(index=False)` or `zip` of the columns"
            ),
        ));
    }
    sites
}

pub(super) const APPLY: Rule = Rule {
    id: "dataframe-apply-rows",
    title: "a Python function applied to every row",
    kind: Kind::Cpu,
    detects: "`x.apply(f, axis=1)`",
    counts: "the statement, and the lines of `f` if it is a function of the same file",
    advice: "Write the function as an expression on whole columns (`np.where`, `np.select` for conditions).",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "`apply` along rows builds a Series and calls Python per row (pandas, Enhancing performance)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(apply),
};

fn apply(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some((frame, "apply")) = seen.method(call) else { continue };
        let by_rows = seen
            .keyword(call, "axis")
            .is_some_and(|axis| matches!(seen.text(axis), "1" | "\"columns\"" | "'columns'"));
        if !by_rows {
            continue;
        }
        let (line, name) = (seen.line(call), seen.quoted(frame));
        let function = seen.args(call).first().copied();
        let mut counted = seen.by_statement(call);
        counted.extend(function.and_then(|f| definition_of(seen, f)).map(|f| seen.lines(f)));
        let what = function.map_or(String::new(), |function| seen.quoted(function));
        sites.push(Site::new(
            seen.at(call),
            counted,
            format!("line {line} calls `{what}` for every row of `{name}`"),
            format!(
                "on line {line}, compute the result from whole columns of `{name}` instead of `{what}` \
                 (`np.where` or `np.select` for conditions)"
            ),
        ));
    }
    sites
}

/// The function of the file that a name stands for.
pub(super) fn definition_of(seen: &Seen<'_>, name: Id) -> Option<Id> {
    let text = seen.text(name);
    if !matches!(seen.kind(name), "identifier" | "attribute") {
        return None;
    }
    let last = text.rsplit('.').next().unwrap_or(text);
    let mut found = seen.each("function_definition").filter(|function| {
        seen.child(*function, "name").is_some_and(|name| seen.text(name) == last)
    });
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

pub(super) const GROW: Rule = Rule {
    id: "dataframe-grow-in-loop",
    title: "a data frame grown row by row",
    kind: Kind::Cpu,
    detects: "`df = pd.concat([df, …])`, `df = df.append(…)` or `df.loc[len(df)] = …` in a loop",
    counts: "the statement",
    advice: "Collect dicts or frames in a list and make one data frame after the loop.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "each call copies all rows so far (pandas documentation, concat, notes)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(grow),
};

fn grow(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for id in seen.each("assignment") {
        let (Some(target), Some(right)) = (seen.child(id, "left"), seen.child(id, "right")) else {
            continue;
        };
        let Some(looped) = seen.looped(id) else { continue };
        let own = seen.below(right).any(|part| seen.text(part) == seen.text(target));
        let concat = own && seen.callee(right).is_some_and(|path| path == "pandas.concat");
        let append = seen.method(right).is_some_and(|(object, name)| {
            name == "append" && seen.text(object) == seen.text(target)
        });
        let Some(frame) = (if concat || append { Some(target) } else { new_row(seen, target) })
        else {
            continue;
        };
        let (line, name) = (seen.line(id), seen.quoted(frame));
        sites.push(Site::new(
            seen.at(id),
            seen.by_statement(id),
            format!("line {line} copies all rows of `{name}` {}", seen.how_often(id)),
            format!(
                "append a dict (or frame) to a list on line {line} and make `{name}` once after the loop \
                 on line {} (`pd.DataFrame(rows)` or one `pd.concat(parts)`)",
                seen.line(looped)
            ),
        ));
    }
    sites
}

/// The frame of `df.loc[len(df)]`.
fn new_row(seen: &Seen<'_>, target: Id) -> Option<Id> {
    let located = seen.child(target, "value").filter(|_| seen.kind(target) == "subscript")?;
    let frame = seen.child(located, "object")?;
    let name = seen.child(located, "attribute")?;
    let index = seen.child(target, "subscript")?;
    let wanted = format!("len({})", seen.text(frame));
    let new = seen.text(name) == "loc" && seen.text(index) == wanted;
    (new && matches!(seen.ty(frame), Ty::Frame | Ty::Unknown)).then_some(frame)
}
