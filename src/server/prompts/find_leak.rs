//! `find_leak`.

use rmcp::ErrorData;

use super::asked::Asked;
use super::subject::{ARGUMENTS, Subject};
use super::{Spec, reading};

pub(super) const PROMPT: Spec = Spec {
    name: "find_leak",
    title: "Find a memory leak",
    description: "Finds memory that a program keeps more and more of, and proves it by a second run.",
    arguments: ARGUMENTS,
    tools: &["get_file_details", "get_memory_leaks", "profile_script"],
    write,
};

fn write(asked: &Asked<'_>) -> Result<String, ErrorData> {
    let subject = Subject::of(asked, true)?;
    Ok(format!(
        "Find out whether {name} leaks memory, and where.\n\
         1. {first}\n\
         2. {leaks} lists suspects with what speaks for and against each.\n\
         3. A suspect is no proof. `\"confirm\":true` in the same call runs the program once more and records every allocation: \
         it says what a line still keeps at the end, and whether that rises with the work.\n\
         4. {file} shows who holds it: a container at module level, a cache without a limit, a closure, a registered callback, \
         a cycle with `__del__`.\n\
         5. After the change do 1 and 3 again: the line must be gone or flat.\n\n\
         How to read it: {memory} Growth while data is loaded is no leak; growth for each repetition of the same work is. Run the program \
         long enough for several repetitions.\n\n\
         Answer with file and line, what is kept, by whom, how it rises, and the change. If nothing was proven, say so.",
        name = subject.name,
        first = subject.first,
        leaks = subject.about("get_memory_leaks", [("confidence", "medium")]),
        file = subject.about("get_file_details", [("file_path", "<file>")]),
        memory = reading::MEMORY,
    ))
}
