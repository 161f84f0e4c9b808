//! The ways in: how a program is profiled, as its header says.

use std::time::Duration;

use scalene_mcp::recording::{BlockSpec, FunctionCall, Window};

use crate::witnesses::Witness;

/// How a program is profiled.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Way {
    /// As a script, under Scalene.
    #[default]
    Script,
    /// As a script, by the sampler alone.
    Sampler,
    /// Calls of one function of it.
    Function(Box<FunctionCall>),
    /// Its tests.
    Tests {
        /// By unittest; otherwise by pytest.
        unittest: bool,
    },
    /// Started by plain Python, and looked at while it runs.
    Process,
    /// As a notebook: a line that begins with `# %%` begins a cell.
    Notebook,
    /// As a script, of which a part is profiled.
    Window(Window),
    /// As a script, of which named blocks are asked for.
    Blocks {
        /// The program marks them itself.
        marked: bool,
    },
}

impl Way {
    /// Reads what follows `# way: ` in the header of a program.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let (word, more) = text.split_once([' ', '=']).unwrap_or((text, ""));
        match word {
            "sampler" => Self::Sampler,
            "function" => Self::Function(Box::new(FunctionCall::of(format!("{name}.py:{more}")))),
            "tests" => Self::Tests { unittest: more == "unittest" },
            "process" => Self::Process,
            "notebook" => Self::Notebook,
            "window" => Self::Window(window(more)),
            "blocks" => Self::Blocks { marked: more == "marked" },
            other => panic!("{name}: no such way: {other}"),
        }
    }

    /// Reads a further line of the header that is about the way.
    pub(crate) fn detail(&mut self, key: &str, value: &str) {
        let Self::Function(call) = self else { return };
        match key {
            "args" => call.args = serde_json::from_str(value).unwrap(),
            "call" => call.call = Some(value.to_owned()),
            "each" => call.setup_each = Some(value.to_owned()),
            _ => {}
        }
    }

    /// It in a word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Sampler => "sampler",
            Self::Function(_) => "function",
            Self::Tests { .. } => "tests",
            Self::Process => "process",
            Self::Notebook => "notebook",
            Self::Window(_) => "window",
            Self::Blocks { .. } => "blocks",
        }
    }

    /// Who says anything about such a profile.
    pub(crate) fn heard(&self, witness: Witness) -> bool {
        witness != Witness::Scalene || !matches!(self, Self::Sampler | Self::Process)
    }
}

/// `delay=2.5 duration=2`, in seconds.
fn window(text: &str) -> Window {
    let mut window = Window::default();
    for (key, value) in text.split(' ').filter_map(|word| word.split_once('=')) {
        let time = Duration::from_secs_f64(value.parse().unwrap());
        match key {
            "delay" => window.delay = time,
            "duration" => window.duration = Some(time),
            other => panic!("no such part of a window: {other}"),
        }
    }
    window
}

/// What a program says of one of its blocks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BlockClaim {
    /// Names of the blocks around it, and its own.
    pub(crate) path: Vec<String>,
    lines: Option<(u32, u32)>,
    function: Option<String>,
    /// Its share of the run lies between these, in percent.
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl BlockClaim {
    /// Reads `outer/inner lines=3-9 share=40-60`, or with `function=name`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut words = text.split(' ');
        let path = words.next().unwrap().split('/').map(str::to_owned).collect();
        let mut claim = Self { path, lines: None, function: None, least: 0.0, most: 0.0 };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (first, last) = value.split_once('-').unwrap_or((value, value));
            match key {
                "lines" => claim.lines = Some((first.parse().unwrap(), last.parse().unwrap())),
                "function" => claim.function = Some(value.to_owned()),
                "share" => {
                    (claim.least, claim.most) = (first.parse().unwrap(), last.parse().unwrap());
                }
                other => panic!("no such part of a block: {other}"),
            }
        }
        claim
    }

    /// As a call asks for it.
    pub(crate) fn spec(&self) -> BlockSpec {
        BlockSpec {
            name: self.path.last().unwrap().clone(),
            start_line: self.lines.map(|(first, _)| first),
            end_line: self.lines.map(|(_, last)| last),
            function: self.function.clone(),
            ..BlockSpec::default()
        }
    }
}
