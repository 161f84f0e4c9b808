//! An interpreter that answered the probe, and where it was found.

use std::fmt;
use std::path::{Path, PathBuf};

/// A Python that runs, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// How to start it. Symbolic links are kept: a virtual environment's python is one.
    pub executable: PathBuf,
    /// The interpreter below a virtual environment; `executable` itself otherwise.
    pub base_executable: PathBuf,
    /// Where it was found.
    pub source: Source,
    /// `sys.version_info`.
    pub version: Version,
    /// `platform.python_implementation()`; always `CPython`, others are refused.
    pub implementation: String,
    /// `sys.prefix`: the environment's folder.
    pub prefix: PathBuf,
    /// `sys.base_prefix`: the folder of the installation below the environment.
    pub base_prefix: PathBuf,
    /// Folders with installed packages that exist, in import order. The user's own
    /// one is among them when a program would see it.
    pub site_packages: Vec<PathBuf>,
    /// Every path of every sysconfig scheme, links resolved. Scalene takes each file
    /// whose path contains one of them for a library.
    pub library_paths: Vec<PathBuf>,
    /// `sys.platform`, such as `linux` or `darwin`.
    pub platform: String,
    /// `platform.machine()`, such as `x86_64` or `arm64`.
    pub machine: String,
    /// Built without the global interpreter lock.
    pub free_threaded: bool,
    /// 64 or 32.
    pub pointer_bits: u8,
    /// It belongs to a virtual environment (`prefix` differs from `base_prefix`).
    pub is_virtual_env: bool,
    /// `os.cpu_count()`.
    pub cpu_count: Option<u32>,
    /// The Scalene that a program started by it would import.
    pub scalene: Scalene,
}

impl Interpreter {
    /// Why Scalene cannot profile memory under this interpreter, if it cannot.
    ///
    /// Scalene's allocator exists for 64-bit x86 and ARM only.
    pub fn no_memory_profiling(&self) -> Option<&'static str> {
        let known = ["x86_64", "amd64", "arm64", "aarch64"];
        if self.pointer_bits != 64 {
            Some("this Python is a 32-bit build; Scalene profiles memory on 64-bit only")
        } else if !known.contains(&self.machine.to_lowercase().as_str()) {
            Some("Scalene profiles memory on x86-64 and 64-bit ARM only")
        } else {
            None
        }
    }
}

/// A Python version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// 3.
    pub major: u32,
    /// 12 of 3.12.4.
    pub minor: u32,
    /// 4 of 3.12.4.
    pub micro: u32,
    /// `sys.version` on one line: with the pre-release tag, build date and compiler.
    pub full: String,
}

impl Version {
    /// True for this major and minor version and every later one.
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// Whether an interpreter can import Scalene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalene {
    /// It can.
    Found {
        /// The installed version, from its metadata.
        version: String,
        /// The folder of the package.
        package_dir: PathBuf,
        /// `libscalene.so` or `libscalene.dylib`; none where the platform has none.
        preload_library: Option<PathBuf>,
    },
    /// It is not installed.
    Missing,
    /// Something of it is installed, but it cannot work.
    Broken {
        /// What is wrong, as a clause: "version 2.4.0 in … lacks `libscalene.so`".
        reason: String,
    },
}

/// Where an interpreter was found. Displays as a phrase that fits after "from".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The call's `python` parameter.
    Parameter,
    /// A setting of the server, by its name: `--python`, `SCALENE_MCP_PYTHON`.
    Configured(&'static str),
    /// The environment that was active when the server started.
    VirtualEnv {
        /// Its folder.
        dir: PathBuf,
        /// The project's own environment, which was passed over for it.
        passed_over: Option<PathBuf>,
    },
    /// The conda environment that was active when the server started.
    Conda {
        /// Its folder.
        dir: PathBuf,
    },
    /// An environment folder near the program.
    Nearby {
        /// The environment's folder.
        dir: PathBuf,
        /// It lies in the very folder of the program.
        beside: bool,
    },
    /// A version asked for by a `.python-version` file or pyenv's own `version` file.
    VersionFile {
        /// The file.
        file: PathBuf,
    },
    /// A folder on PATH.
    Path,
    /// A version installed by pyenv.
    Pyenv,
    /// A version installed by uv.
    Uv,
    /// Homebrew.
    Homebrew,
    /// The python.org installer for macOS.
    Framework,
    /// The base environment of a conda installation in one of its usual folders.
    CondaHome,
    /// The python.org installer for Windows, or its launcher.
    WindowsInstall,
    /// A system folder that was not on PATH.
    System,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| path.display().to_string();
        match self {
            Self::Parameter => f.write_str("the `python` parameter"),
            Self::Configured(name) => write!(f, "`{name}`"),
            Self::VirtualEnv { dir, passed_over: None } => {
                write!(f, "the active virtual environment `{}` (VIRTUAL_ENV)", shown(dir))
            }
            Self::VirtualEnv { dir, passed_over: Some(other) } => write!(
                f,
                "the active virtual environment `{}` (VIRTUAL_ENV goes before the project's own `{}`)",
                shown(dir),
                shown(other)
            ),
            Self::Conda { dir } => {
                write!(f, "the active conda environment `{}` (CONDA_PREFIX)", shown(dir))
            }
            Self::Nearby { dir, beside: true } => write!(f, "`{}` beside the script", shown(dir)),
            Self::Nearby { dir, .. } => write!(f, "the project's environment `{}`", shown(dir)),
            Self::VersionFile { file } => write!(f, "the version named in `{}`", shown(file)),
            Self::Path => f.write_str("PATH"),
            Self::Pyenv => f.write_str("pyenv's installed versions"),
            Self::Uv => f.write_str("uv's installed versions"),
            Self::Homebrew => f.write_str("Homebrew"),
            Self::Framework => f.write_str("the python.org installer"),
            Self::CondaHome => f.write_str("a conda installation in its usual folder"),
            Self::WindowsInstall => f.write_str("the Windows installation of Python"),
            Self::System => f.write_str("a system folder that is not on PATH"),
        }
    }
}
