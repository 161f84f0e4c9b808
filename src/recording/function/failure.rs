//! Why a function could not be called.

/// Why a function could not be called, or what stopped its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFailure {
    /// No such module, or nothing of that name in it.
    TargetNotFound,
    /// What is named cannot be called.
    NotCallable,
    /// The call does not fit the function, or is no Python.
    BadCall,
    /// The import, `setup` or `setup_each` raised something.
    SetupFailed,
    /// The function raised something.
    CallFailed,
}

impl CallFailure {
    /// What `call.py` or the launcher calls so.
    pub(in crate::recording) fn told(kind: &str) -> Self {
        let all = [Self::TargetNotFound, Self::NotCallable, Self::BadCall, Self::SetupFailed];
        all.into_iter().find(|failure| failure.code() == kind).unwrap_or(Self::CallFailed)
    }

    /// The stable code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TargetNotFound => "target_not_found",
            Self::NotCallable => "not_callable",
            Self::BadCall => "bad_call",
            Self::SetupFailed => "setup_failed",
            Self::CallFailed => "call_failed",
        }
    }

    /// What to do next; `near` are names that may have been meant.
    pub(in crate::recording) fn hint(self, near: &[String]) -> String {
        let text = match self {
            Self::TargetNotFound if near.is_empty() => {
                "check the name, and set `cwd` to the folder that modules are imported from"
            }
            Self::TargetNotFound => {
                return format!("correct `target`; there are: {}", near.join(", "));
            }
            Self::NotCallable => "name a function, method or class as `target`",
            Self::BadCall => {
                "correct `args` and `kwargs`, or write the call as `call` (with `setup`), such as \"Cart(3).total()\""
            }
            Self::SetupFailed => {
                "correct `setup`, `setup_each`, `python`, `cwd` or `env`; the traceback is below"
            }
            Self::CallFailed => {
                "fix the failure shown below, or the arguments; `setup_each` renews what a call changes"
            }
        };
        text.to_owned()
    }
}
