//! Questions to the person at the client, where an answer saves a call from failing or from a guess.
//!
//! Owns: what is asked, how in both eras of the protocol, what an answer allows. Asked is only who has said that it can show
//! a form; everybody else gets the error, or what is taken without being asked. A question is asked once for a call.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    BooleanSchema, CallToolRequestParams, ElicitRequest, ElicitRequestParams, ElicitResult,
    ElicitationAction, ElicitationSchema, EnumSchema, InputRequest, InputRequests,
    InputRequiredResult, PrimitiveSchemaDefinition, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde::{Deserialize, Serialize};

use super::error::ToolError;
use crate::python::PythonError;
use crate::recording::{RecordError, RunRequest};

/// How long a person may take where the call is kept open meanwhile.
const PATIENCE: Duration = Duration::from_secs(180);
/// Choices that are remembered.
const MOST_REMEMBERED: usize = 100;
/// The one field of each form.
const FIELD: &str = "answer";

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Topic {
    /// Scalene is missing, and the server was told not to install it.
    Install,
    /// A script or working directory outside the roots.
    OutsideRoots,
    /// Several environments lie beside each other.
    Python,
}

impl Topic {
    const ALL: [Self; 3] = [Self::Install, Self::OutsideRoots, Self::Python];

    fn key(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::OutsideRoots => "outside_roots",
            Self::Python => "python",
        }
    }
}

/// A question whose answer changes what a call does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    topic: Topic,
    message: String,
    /// Of which one is chosen; none for yes or no.
    choices: Vec<String>,
}

impl Question {
    /// What could be asked instead of failing.
    pub(super) fn about(error: &RecordError) -> Option<Self> {
        let (topic, message, choices) = match error {
            RecordError::ScaleneMissing { .. } => (
                Topic::Install,
                format!(
                    "{error}. Install Scalene into a private cache for this interpreter? The project and its \
                     environment stay as they are."
                ),
                Vec::new(),
            ),
            RecordError::OutsideRoots { what: "script_path" | "cwd", path, roots }
                if !roots.is_empty() =>
            {
                let path = path.display();
                (
                    Topic::OutsideRoots,
                    format!("`{path}` is outside the folders that this server may use. Run it this once?"),
                    Vec::new(),
                )
            }
            RecordError::Python(PythonError::Several { environments }) => (
                Topic::Python,
                "Several Python environments lie beside each other. Which one does the program use?".to_owned(),
                environments.iter().map(|folder| folder.display().to_string()).collect(),
            ),
            _ => return None,
        };
        Some(Self { topic, message, choices })
    }

    fn form(&self) -> Option<ElicitRequestParams> {
        let schema = if self.choices.is_empty() {
            let field = BooleanSchema::new().title("Allow").with_default(false);
            PrimitiveSchemaDefinition::Boolean(field)
        } else {
            let field = EnumSchema::builder(self.choices.clone()).title("Environment").build();
            PrimitiveSchemaDefinition::Enum(field)
        };
        let schema = ElicitationSchema::builder().required_property(FIELD, schema).build().ok()?;
        Some(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: self.message.clone(),
            requested_schema: schema,
        })
    }
}

/// What was answered: the choice, `yes`, or nothing where the person said no.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Answers(BTreeMap<Topic, Option<String>>);

impl Answers {
    /// Reads what a client sends with a call that it makes again.
    fn sent(request: &CallToolRequestParams) -> Self {
        let state = request.request_state.as_deref();
        let mut answers: Self =
            state.and_then(|state| serde_json::from_str(state).ok()).unwrap_or_default();
        for topic in Topic::ALL {
            let response = request.input_responses.as_ref().and_then(|all| all.get(topic.key()));
            if let Some(response) = response {
                let result = serde_json::from_value::<ElicitResult>(response.clone()).ok();
                answers.0.insert(topic, result.and_then(chosen));
            }
        }
        answers
    }

    fn said_yes(&self, topic: Topic) -> bool {
        self.0.get(&topic).is_some_and(Option::is_some)
    }

    /// Does as was answered.
    pub(super) fn apply(&self, request: &mut RunRequest, can_ask: bool) {
        request.allowed.install = self.said_yes(Topic::Install);
        request.allowed.ask_install = can_ask && !self.0.contains_key(&Topic::Install);
        request.allowed.outside_roots = self.said_yes(Topic::OutsideRoots);
        match self.0.get(&Topic::Python) {
            Some(Some(python)) if request.python.is_none() => request.python = Some(python.clone()),
            Some(_) => {}
            None => request.allowed.choose_python = can_ask,
        }
    }
}

/// The answer in a form that was filled in; a box without a tick is no.
fn chosen(result: ElicitResult) -> Option<String> {
    if result.action != ElicitationAction::Accept {
        return None;
    }
    match result.content?.get(FIELD)? {
        serde_json::Value::Bool(true) => Some("yes".to_owned()),
        serde_json::Value::String(choice) => Some(choice.clone()),
        _ => None,
    }
}

/// Environments that were chosen, by the folder they lie in: who has chosen once is not asked again.
#[derive(Debug, Default)]
pub(super) struct Choices(Mutex<HashMap<PathBuf, String>>);

impl Choices {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, question: &Question) -> Option<String> {
        let folder = Path::new(question.choices.first()?).parent()?;
        self.lock().get(folder).filter(|choice| question.choices.contains(choice)).cloned()
    }

    fn remember(&self, answers: &Answers) {
        let Some(Some(choice)) = answers.0.get(&Topic::Python) else { return };
        let mut known = self.lock();
        if let Some(folder) = Path::new(choice).parent()
            && known.len() < MOST_REMEMBERED
        {
            known.insert(folder.to_owned(), choice.clone());
        }
    }
}

/// How a client can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Never,
    /// By a request of ours, while its own is open.
    Now,
    /// By an answer that asks, after which it calls again.
    Later,
}

/// Asks for one call.
pub(super) struct Asking {
    how: How,
    answers: Answers,
}

/// What came of a question.
pub(super) enum Asked {
    /// The call is made once more, with [`Asking::answers`].
    Answered,
    /// The client asks and calls again.
    Passed(InputRequiredResult),
    /// There is nothing to ask: it stays as it is.
    Nothing,
}

impl Asking {
    pub(super) fn new(
        context: &RequestContext<RoleServer>,
        request: &CallToolRequestParams,
        choices: &Choices,
    ) -> Self {
        let form = context.client_capabilities().and_then(|all| all.elicitation);
        // One that names no kind of question knows forms.
        let form = form.is_some_and(|kinds| kinds.form.is_some() || kinds.url.is_none());
        let how = match context.protocol_version() {
            _ if !form => How::Never,
            Some(version) if version >= ProtocolVersion::V_2026_07_28 => How::Later,
            Some(version) if version >= ProtocolVersion::V_2025_06_18 => How::Now,
            _ => How::Never,
        };
        let answers = if how == How::Later { Answers::sent(request) } else { Answers::default() };
        choices.remember(&answers);
        Self { how, answers }
    }

    pub(super) fn can(&self) -> bool {
        self.how != How::Never
    }

    pub(super) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Asks what an error leaves open, if it has not been asked yet.
    pub(super) async fn ask(
        &mut self,
        error: &ToolError,
        choices: &Choices,
        context: &RequestContext<RoleServer>,
    ) -> Asked {
        let open = |question: &&Question| !self.answers.0.contains_key(&question.topic);
        let Some(question) = error.question().filter(open) else { return Asked::Nothing };
        let Some(form) = question.form().filter(|_| self.can()) else { return Asked::Nothing };
        if let Some(choice) = choices.of(question) {
            self.answers.0.insert(question.topic, Some(choice));
            return Asked::Answered;
        }
        if self.how == How::Later {
            let request = InputRequest::Elicitation(ElicitRequest::new(form));
            let requests = InputRequests::from([(question.topic.key().to_owned(), request)]);
            let state = serde_json::to_string(&self.answers).ok();
            return Asked::Passed(InputRequiredResult::new(Some(requests), state));
        }
        let answer = tokio::select! {
            answer = context.peer.create_elicitation_with_timeout(form, Some(PATIENCE)) => answer.ok(),
            () = context.ct.cancelled() => None,
        };
        let fits =
            |choice: &String| question.choices.is_empty() || question.choices.contains(choice);
        self.answers.0.insert(question.topic, answer.and_then(chosen).filter(fits));
        choices.remember(&self.answers);
        Asked::Answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Target;
    use serde_json::json;

    #[test]
    fn only_a_yes_allows() {
        let sent = |value: serde_json::Value| {
            let mut request = CallToolRequestParams::new("profile_script");
            request.input_responses = Some([("install".to_owned(), value)].into());
            let mut run = RunRequest::new(Target::Snippet("1".to_owned()));
            Answers::sent(&request).apply(&mut run, true);
            run.allowed.install
        };
        assert!(sent(json!({"action": "accept", "content": {"answer": true}})));
        for no in [
            json!({"action": "accept", "content": {"answer": false}}),
            json!({"action": "accept", "content": {}}),
            json!({"action": "accept"}),
            json!({"action": "decline", "content": {"answer": true}}),
            json!({"action": "cancel"}),
            json!("yes"),
        ] {
            assert!(!sent(no.clone()), "{no}");
        }
    }

    #[test]
    fn earlier_answers_come_back_with_the_state() {
        let mut request = CallToolRequestParams::new("profile_script");
        request.request_state = Some(r#"{"outside_roots":"yes"}"#.to_owned());
        let python = json!({"action": "accept", "content": {"answer": "/p/.venv"}});
        request.input_responses = Some([("python".to_owned(), python)].into());
        let answers = Answers::sent(&request);
        let mut run = RunRequest::new(Target::Snippet("1".to_owned()));
        answers.apply(&mut run, true);
        assert!(run.allowed.outside_roots && !run.allowed.install && !run.allowed.choose_python);
        assert_eq!(run.python.as_deref(), Some("/p/.venv"));
        let choices = Choices::default();
        choices.remember(&answers);
        let question = |folders: &[&str]| Question {
            topic: Topic::Python,
            message: String::new(),
            choices: folders.iter().map(|&folder| folder.to_owned()).collect(),
        };
        assert_eq!(choices.of(&question(&["/p/old", "/p/.venv"])).as_deref(), Some("/p/.venv"));
        assert_eq!(choices.of(&question(&["/q/old", "/q/.venv"])), None);
    }
}
