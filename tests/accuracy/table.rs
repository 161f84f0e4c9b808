//! The tables: a row for each program and Python, and the totals.

use crate::score::{self, Count, LEAKS_BY, Leaks, QUESTIONS, Score, Shares};
use crate::witnesses::Witness;

/// One program on one Python.
pub(crate) struct Row {
    pub(crate) program: String,
    pub(crate) way: &'static str,
    pub(crate) version: (u32, u32),
    pub(crate) score: Score,
}

impl Row {
    fn python(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }

    pub(crate) fn print(&self) {
        let cells = self.score.counts.map(|counts| counts.map(Count::text).join(" "));
        let leaks = self.score.leaks.map(Leaks::text).join("; ");
        let mut misses = self.score.misses.clone();
        misses.sort();
        misses.dedup();
        println!(
            "| {} | {} | {} | {} | {leaks} | {} | {} |",
            self.program,
            self.way,
            self.python(),
            cells.join(" | "),
            self.score.blocks.text(),
            misses.join("; ")
        );
    }
}

pub(crate) fn head() {
    println!("In each cell: {}; right runs of all runs.\n", QUESTIONS.join(", "));
    let names = Witness::ALL.map(Witness::name).join(" | ");
    let leaks = LEAKS_BY.join(", ");
    println!("| program | way | Python | {names} | leaks: {leaks} | blocks | wrong answers |");
    println!("|---|---|---|---|---|---|---|---|---|");
}

/// All totals: of scripts by Python, of the other ways apart.
pub(crate) fn totals(rows: &[Row]) {
    let (scripts, ways): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.way == "script");
    if !scripts.is_empty() {
        of_scripts(&scripts);
    }
    if !ways.is_empty() {
        of_ways(&ways);
        of_blocks(&ways);
    }
}

/// What all rows have of a thing, each once, in order of appearance.
fn each<'a, T: PartialEq>(rows: &[&'a Row], of: impl Fn(&'a Row) -> T) -> Vec<T> {
    let mut all = Vec::new();
    for one in rows.iter().map(|row| of(row)) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn of_scripts(rows: &[&Row]) {
    let pythons = each(rows, Row::python);
    println!("\nShare of right answers, with the 95 % interval over programs.\n");
    println!("| Python | witness | {} |", QUESTIONS.join(" | "));
    println!("|---|---|---|---|---|---|");
    for python in &pythons {
        let here: Vec<&Row> = rows.iter().copied().filter(|row| row.python() == *python).collect();
        time_totals(python, &here);
    }
    println!(
        "\n| Python | leaks by | recall | precision | programs without a leak that are accused |"
    );
    println!("|---|---|---|---|---|");
    for python in &pythons {
        let here: Vec<&Row> = rows.iter().copied().filter(|row| row.python() == *python).collect();
        leak_totals(python, &here);
    }
}

/// The right answers of each program to a question, over its Pythons.
fn by_program(rows: &[&Row], of: impl Fn(&Score) -> Count) -> Vec<f64> {
    let program = |name: &str| {
        let own = rows.iter().filter(|row| row.program == name).map(|row| of(&row.score));
        own.fold(Count::default(), Count::plus)
    };
    let counts = each(rows, |row| row.program.as_str()).into_iter().map(program);
    counts.filter(|count| count.asked > 0).map(Count::part).collect()
}

fn time_totals(label: &str, rows: &[&Row]) {
    for (index, witness) in Witness::ALL.into_iter().enumerate() {
        let parts = [0, 1, 2, 3].map(|at| by_program(rows, |score| score.counts[index][at]));
        if parts.iter().any(|part| !part.is_empty()) {
            let cells = parts.map(|part| score::share(&part));
            println!("| {label} | {} | {} |", witness.name(), cells.join(" | "));
        }
    }
}

fn leak_totals(python: &str, rows: &[&Row]) {
    for (index, who) in LEAKS_BY.into_iter().enumerate() {
        let leaks: Vec<Leaks> = rows.iter().map(|row| row.score.leaks[index]).collect();
        let leaking = leaks.iter().filter(|one| one.leaking > 0);
        let found: Vec<f64> =
            leaking.map(|one| f64::from(one.found) / f64::from(one.leaking)).collect();
        let (right, wrong) =
            leaks.iter().fold((0, 0), |sum, one| (sum.0 + one.found, sum.1 + one.innocent));
        let innocent = leaks.iter().filter(|one| one.runs > 0 && one.leaking == 0);
        let accused: Vec<f64> = innocent.map(|one| f64::from(u8::from(one.innocent > 0))).collect();
        println!(
            "| {python} | {who} | {} | {right} of {} named | {} |",
            score::share(&found),
            right + wrong,
            score::share(&accused)
        );
    }
}

fn of_ways(rows: &[&Row]) {
    let (ways, pythons) = (each(rows, |row| row.way), each(rows, Row::python));
    println!("\nRight runs of all runs by way and Python: {}.\n", QUESTIONS.join(", "));
    println!("| way | witness | {} |", pythons.join(" | "));
    println!("|---|---|{}", "---|".repeat(pythons.len()));
    for way in &ways {
        for (index, witness) in Witness::ALL.into_iter().enumerate() {
            let cell = |python: &String| {
                let here = rows.iter().filter(|row| row.way == *way && row.python() == *python);
                let all = here.map(|row| row.score.counts[index]);
                let none = [Count::default(); QUESTIONS.len()];
                let sum = all.fold(none, |sum, one| [0, 1, 2, 3].map(|at| sum[at].plus(one[at])));
                sum.map(Count::text).join(" ")
            };
            let cells: Vec<String> = pythons.iter().map(cell).collect();
            if cells.iter().any(|cell| cell.contains('/')) {
                println!("| {way} | {} | {} |", witness.name(), cells.join(" | "));
            }
        }
    }
    println!("\nShare of right answers by way, with the 95 % interval over programs.\n");
    println!("| way | witness | {} |", QUESTIONS.join(" | "));
    println!("|---|---|---|---|---|---|");
    for way in &ways {
        let here: Vec<&Row> = rows.iter().copied().filter(|row| row.way == *way).collect();
        time_totals(way, &here);
    }
}

/// The shares of all blocks, beside what their programs say.
fn of_blocks(rows: &[&Row]) {
    let with: Vec<&Row> = rows.iter().copied().filter(|row| !row.score.shares.is_empty()).collect();
    if with.is_empty() {
        return;
    }
    let pythons = each(&with, Row::python);
    println!("\nShare of each block in percent, in all runs; beside it what its program says.\n");
    println!("| program | block | says | {} |", pythons.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(pythons.len()));
    let text = |share: &Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.0}"));
    for program in each(&with, |row| row.program.as_str()) {
        let own: Vec<&Row> = with.iter().copied().filter(|row| row.program == program).collect();
        for (index, Shares { name, right: (least, most), .. }) in
            own[0].score.shares.iter().enumerate()
        {
            let cell = |python: &String| {
                let row = own.iter().find(|row| row.python() == *python);
                let said = row.map(|row| row.score.shares[index].said.iter().map(text));
                said.map_or_else(String::new, |said| said.collect::<Vec<_>>().join(" "))
            };
            let cells: Vec<String> = pythons.iter().map(cell).collect();
            println!("| {program} | {name} | {least}–{most} | {} |", cells.join(" | "));
        }
    }
    let sum = with.iter().map(|row| row.score.blocks).fold(Count::default(), Count::plus);
    println!("\nBlocks whose share lies where it is said: {}", sum.text());
}
