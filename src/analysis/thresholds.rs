//! Every number that the analysis compares with, and where it comes from.

/// A constant of the analysis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Its name, as `docs/analysis.md` lists it.
    pub name: &'static str,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: &'static str,
    /// What happens at it.
    pub meaning: &'static str,
    /// Why this number.
    pub source: &'static str,
}

macro_rules! thresholds {
    ($($name:ident = $value:literal $unit:literal, $meaning:literal, $source:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Threshold = Threshold {
                name: stringify!($name),
                value: $value,
                unit: $unit,
                meaning: $meaning,
                source: $source,
            };
        )*

        /// All constants, in the order of `docs/analysis.md`.
        pub const THRESHOLDS: &[&Threshold] = &[$(&$name),*];
    };
}

thresholds! {
    CRITICAL_SHARE = 50.0 "%", "a finding with this share is critical",
        "Amdahl: without half of the time a run is at most 2 x faster; nothing else can give as much";
    HIGH_SHARE = 20.0 "%", "a finding with this share is high",
        "Amdahl: 1.25 x, more than the 10 to 20 % by which single runs differ";
    MEDIUM_SHARE = 5.0 "%", "a finding with this share is medium; below it is low",
        "Amdahl: 1.05 x, the least that repeated runs on a quiet machine tell from noise";
    PLACE_SHARE = 3.0 "%", "smallest share of sampled time of a place that rules look at",
        "three samples of 100, the number that a run of one second has";
    SURE_SHARE = 10.0 "%", "smallest share of a place where the pattern alone does not prove the cost",
        "ten samples of 100: a 95 % interval of 5 to 18 %, clear of the 3 % of a place";
    CATCH_ALL_SHARE = 20.0 "%", "share from which a place is named although no rule knows its pattern",
        "the limit of a high finding";
    WAITING_SHARE = 10.0 "%", "share of waiting from which a line is named",
        "descheduling on a busy machine showed up to 45 % of a line, but below 10 % of a run, as waiting";
    WAITING_PART = 60.0 "% of the place", "part of a place's time that is waiting, where waiting is the point",
        "descheduling on a busy machine showed up to 45 % of a line that only computes as waiting";
    COMPUTING_PART = 50.0 "% of the place", "part of a place's time on a CPU, where computing is the point",
        "more than half of it computes";
    NATIVE_PART = 80.0 "% of the place", "part of a place's time in native code that counts as native",
        "Scalene 2.2 to 2.4 shows 25 to 50 % native for loops of pure Python; 80 % was seen only with calls into C";
    IMPORT_SHARE = 20.0 "%", "share of import statements from which imports are named",
        "the limit of a high finding: a start-up below it is no reason to restructure imports";
    ALLOCATED_MIB = 20.0 "MiB", "smallest volume that a place must allocate to be named for memory",
        "twice the largest sampling window of any supported Scalene (10 MiB)";
    ALLOCATED_PART = 10.0 "% of the volume", "smallest part of all allocated volume, for memory rules",
        "below a tenth, another place matters more";
    COPIED_MIB = 100.0 "MiB", "smallest volume copied by a place that is named for copies",
        "start-up noise of up to 100 MiB was seen on lines that copy nothing";
    GROWN_MIB = 20.0 "MiB", "smallest growth of the footprint that is called growth",
        "twice the largest sampling window of any supported Scalene (10 MiB)";
    KEPT_PART = 80.0 "% of the peak", "footprint at the end of the run, in parts of the peak, that counts as kept",
        "a program that frees its working data ends well below its peak";
    HALF_GROWN_AT = 25.0 "% of the run", "time before which a footprint must not have reached half of its peak, for steady growth",
        "steady growth is half done at 50 %; a working set that is filled once is done early";
    EXPLAINED_PART = 50.0 "% of the other's share", "part of a place's share that a finding must hold to replace a vaguer one there",
        "less than half of the time explained leaves the larger part to be named";
    HANDLED_SHARE = 1.0 "%", "share of the lines of `except` that shows that exceptions are common",
        "from Python 3.11 on a `try` that raises nothing costs nothing, so one sample of 100 in a handler is raised often";
    LOOKUPS = 3.0 "lookups", "lookups of one attribute in a loop from which they are worth a local name",
        "two cost less than the timing noise of the rest of the loop";
    BUSY_CORES = 1.3 "cores", "mean of busy cores up to which a run counts as using one",
        "one core plus what Scalene's own threads and the kernel add";
    SPARE_CORES = 2.0 "cores", "cores of the machine from which an idle one is worth a word",
        "with one core there is nothing to spread to";
    PASSES = 3.0 "passes", "passes over the same data that are worth one loop",
        "two passes written with builtins are often faster than one loop in Python";
    WHOLE_LINES = 5_000.0 "lines", "length up to which a file is read whole; of longer ones only the functions with samples are read",
        "reading this much takes about 50 ms, once per file";
    TIGHT_NODES = 5_000.0 "syntax nodes", "largest loop of which the surroundings of a pattern are examined",
        "about 700 lines of code; keeps generated and hostile sources from costing seconds";
    LARGE_RANGE = 100_000.0 "items", "a literal length from which a list of numbers is large",
        "about 4 MiB of list and integers, above the 1 MiB window of Scalene 2.3 and later";
    INTERVAL_Z = 1.96 "standard errors", "half width of every interval, and the difference from which two shares count as different",
        "the two-sided 95 % quantile of the normal distribution";
    SAMPLE_WEIGHT = 0.5 "samples", "samples of equal weight that one of Scalene's samples stands for",
        "the time between two samples is exponential: Kish's effective size (sum of w)^2 / (sum of w^2) is n / 2";
    RANKING_SAMPLES = 30.0 "samples", "samples below which an answer says that lines cannot be ranked",
        "the 95 % interval of a share of one half is 27 to 73 % then";
    SPARSE_PART = 0.3 "of the samples due", "part of the samples that were due, below which a profile is called sparse",
        "long native calls take one sample however long they last; plain Python came to 0.7 or more";
    RECONCILE_SAMPLES = 5.0 "samples", "samples of stacks from which they say which lines take the time",
        "a line with half of the time is then missing from them in one run of thirty; Scalene alone names a wrong line in one of four";
    WITNESS_FAILED = 0.05 "of the reads", "part of the reads of stacks that made no sense, from which Scalene alone is believed",
        "what fails is call-heavy code: more of it would be missing than an interval allows for";
    HELPERS = 5.0 "times the loop's time", "time in functions of the interpreter, beside the loop that executes bytecode, that counts as Python",
        "lines of plain Python spent 15 to 90 % of that time in the loop (3.8 to 3.12), builtins that work on many items 0 to 2 %";
    KNOWN_CODE = 0.5 "of the running time", "part of a line's running time in code that is known, from which that divides it",
        "less is fewer samples than libraries that all code uses have taken";
    AGREEING_POINTS = 5.0 "percentage points", "difference of two shares of one place up to which the witnesses agree",
        "two runs of one program differ by as much";
    CONTRADICTED_SHARE = 10.0 "%", "share of a place, by either witness, from which a disagreement is worth a word",
        "less is not acted upon";
    CROWDED_THREADS = 0.5 "threads", "mean number of threads that wait for others, from which they are reported",
        "one thread that waits for half of the run";
    COPY_NOISE_MIB = 100.0 "MiB", "volume copied by a line, below which its copies are not told from noise",
        "start-up noise of up to 100 MiB was seen on lines that copy nothing";
    LEAK_GROWTH_MIB = 10.0 "MiB", "growth of the floor of the footprint that can be a leak",
        "one sampling window of Scalene before 2.3, ten of later ones";
    LEAK_STEADY_PART = 0.15 "of the growth", "least part of the growth in the second and in the last third of the time, for steady growth",
        "an even slope has a third; half of that leaves room for a program that varies, and none for a start-up";
    LEAK_POINTS = 6.0 "samples", "samples of the footprint below which its shape says nothing",
        "two for each third of the time";
    LEAK_TEARDOWN_PART = 0.01 "of the run", "end of the run in which the footprint is not looked at",
        "Python frees module-level objects when it ends: a real leak was seen to fall from 132 to 1 MiB in the last 0.3 %";
    LEAK_QUIET_PART = 0.33 "of the sampled time", "end of the run without footprint samples from which it counts as time without growth",
        "a program that ends, and Scalene with it, took up to a quarter; a cache that is full stays so for longer";
    LEAK_SMALL_PART = 0.1 "of the growth", "part of the growth below which a line is no suspect",
        "below a tenth, another line matters more";
    LEAK_MAIN_PART = 0.5 "of the growth", "part of the growth from which a line is the likely cause",
        "more than half: no other line can be a larger one";
    LEAK_CHURN = 1.5 "times the growth", "volume of a line from which most of what it allocates is known to be freed",
        "more than half of the volume again cannot have stayed";
    LEAK_FIRST_BY = 0.34 "of the time", "a suspect has allocated before this part of the time",
        "in the first third, as growth that is steady has begun then";
    LEAK_LAST_FROM = 0.66 "of the time", "a suspect has allocated after this part of the time",
        "in the last third, as growth that is steady goes on then";
    LEAK_MOMENTS = 5.0 "samples", "sampled moments of a line below which its allocations are single events",
        "fewer cannot show that it goes on";
    CONFIRM_SECONDS = 10.0 "s", "elapsed time of a profile up to which a suspicion is checked by another run unasked",
        "memray took 1.0 to 1.9 times as long as the program, tracking and reading: the answer comes within half a minute";
    CONFIRM_FACTOR = 3.0 "times the elapsed time", "time that another run with all allocations recorded is expected to take",
        "1.0 to 1.9 times was measured on a quiet machine with memray, up to 3.3 on a busy one";
    PROOF_GROWTH_MIB = 1.0 "MiB", "growth of what a line keeps, all allocations recorded, that can be a leak",
        "the size of one pool of small objects: below it the pool's place in time decides";
    PROOF_STEPS = 3.0 "steps", "doublings of a line's few objects from which they are a table that grows with the work",
        "a table that is filled once while a program starts is seen to double once or twice at 30 points";
    PROOF_TABLES = 8.0 "objects", "kept allocations of a line up to which they can be tables of containers",
        "one container has one or two; a line that fills a handful of them still has no more";
    CHANGED_MIB = 10.0 "MiB", "change of allocated volume or peak that counts in a comparison",
        "the largest sampling window of any supported Scalene";
    CHANGED_PART = 0.005 "of the wall time", "change of time that counts in a comparison, whatever its relative size",
        "half a sample of a run of one second";
    RUN_TO_RUN = 0.25 "of the smaller figure", "change that two single runs of one text may differ by, times the load per core where that is above 1",
        "an allowance, not measured here: of six pairs of runs of one file on a machine with other work five differed by more than 5 % and up to 20 %";
    EDITED_PART = 0.4 "of the words", "likeness from which a line counts as the successor of one in a stretch that was replaced",
        "of 3,000 random pairs of lines of six files of the standard library one in a hundred reaches it";
    EDITED_ALONE_PART = 0.15 "of the words", "the same where one line was replaced by one line",
        "the place says more than the words then; of random pairs one in ten reaches it";
    MOVED_LETTERS = 16.0 "letters", "letters and digits of a block from which it counts as moved between functions",
        "shorter ones, such as `return result`, are in many functions by chance";
    MOVED_NEAR_LETTERS = 4.0 "letters", "letters and digits of a block from which it counts as moved within its function",
        "a function that has the same line on both sides, once, has it for the same purpose";
    RENAMED_PART = 0.5 "of the text", "likeness from which two functions of different names are one",
        "more than half of what was written is kept; of 236 random pairs of functions in six files of the standard library none reached it";
    TEXT_PART = 0.9 "of the likeness", "what the likeness of the names and numbers in two functions counts, against that of their lines",
        "words without their order say a little less than lines";
    NAMESAKE_GAIN = 0.25 "of the text", "what the same last name adds to the likeness of two functions",
        "a quarter of the text is enough for a function that went to another class or file under its name";
    RELATED_NAME_GAIN = 0.15 "of the text", "what a name that contains the other's words adds to the likeness of two functions",
        "`parse_fast` is likely what `parse` became, less surely than another `parse`";
    RENAMED_FILE_PART = 0.5 "of the text", "part of the text from which two files of different names are one",
        "more than half of what was written is kept";
    SAME_BASE_NAME_PART = 0.2 "of the text", "the same for files that have the last part of their paths to themselves",
        "the name speaks for it; two `__init__.py` of different packages share less";
    OTHER_PROGRAM_PART = 0.1 "of the text", "part of the text in common below which two profiles are of different programs",
        "a rewrite keeps names, calls and its own start; unrelated scripts share some imports";
    LOAD_DIFFERS = 0.5 "processes", "difference of the machine's load from which it is told",
        "half a core that something else took";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sources_are_given() {
        for (index, threshold) in THRESHOLDS.iter().enumerate() {
            assert!(threshold.value > 0.0 && threshold.source.len() > 20, "{threshold:?}");
            assert!(THRESHOLDS[..index].iter().all(|other| other.name != threshold.name));
        }
    }
}
