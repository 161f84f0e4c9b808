//! Who is told what has changed: clients that subscribed to resources, or to their list.
//!
//! Sessions with a handshake have one [`Listeners`] for all; of clients without one each `subscriptions/listen`
//! has its own, and nothing is told to others.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::{ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, SubscriptionSink};
use rmcp::{ErrorData, RoleServer};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::timeout;

use super::address::Address;
use crate::profile::ProfileId;
use crate::server::Server;
use crate::server::jobs::Phase;
use crate::store::Change;

/// A client that does not take a notification within this time does not get it.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a change of a run that goes on is told.
const RUN_EVERY: Duration = Duration::from_secs(1);
/// Most resources that one client subscribes to.
const MOST: usize = 200;

/// Which profile a subscription is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    /// This one, whatever happens.
    Id(String),
    /// The one that `latest` or `previous` means at a time.
    Newest(String),
}

/// What is subscribed to.
#[derive(Debug)]
pub(in crate::server) struct Listeners {
    state: Mutex<State>,
    /// Ids of runs that have changed.
    changed: mpsc::Sender<String>,
    /// Taken by the task that tells.
    heard: Mutex<Option<mpsc::Receiver<String>>>,
}

#[derive(Debug, Default)]
struct State {
    uris: HashMap<String, Subject>,
    /// Runs that are watched already.
    watched: HashSet<String>,
}

impl Default for Listeners {
    fn default() -> Self {
        let (changed, heard) = mpsc::channel(64);
        Self { state: Mutex::default(), changed, heard: Mutex::new(Some(heard)) }
    }
}

/// Where notifications go.
pub(in crate::server) enum Sink {
    /// To a session with a handshake.
    Session(Peer<RoleServer>),
    /// Into an answer that goes on.
    Stream(SubscriptionSink),
}

impl Sink {
    /// Whether a list is told of at all.
    fn wants_list(&self) -> bool {
        match self {
            Self::Session(_) => true,
            Self::Stream(sink) => sink.accepted().resources_list_changed == Some(true),
        }
    }

    /// An error says that nobody is there any more.
    async fn list_changed(&self) -> Result<(), ()> {
        match self {
            Self::Session(peer) => peer.notify_resource_list_changed().await.map_err(drop),
            Self::Stream(sink) => sink.notify_resource_list_changed().await.map_err(drop),
        }
    }

    async fn updated(&self, uri: String) -> Result<(), ()> {
        match self {
            Self::Session(peer) => {
                let update = ResourceUpdatedNotificationParam::new(uri);
                peer.notify_resource_updated(update).await.map_err(drop)
            }
            Self::Stream(sink) => sink.notify_resource_updated(uri).await.map_err(drop),
        }
    }
}

impl Listeners {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a resource, which must be of a profile or a run that is known.
    pub(in crate::server) fn subscribe(&self, server: &Server, uri: &str) -> Result<(), ErrorData> {
        let unknown = |why: String| ErrorData::resource_not_found(why, Some(json!({ "uri": uri })));
        let subject = subject(server, uri).map_err(unknown)?;
        let mut state = self.state();
        if state.uris.len() >= MOST && !state.uris.contains_key(uri) {
            return Err(ErrorData::invalid_params(
                format!("{MOST} resources are subscribed to; unsubscribe from some first"),
                None,
            ));
        }
        if let Subject::Id(id) = &subject
            && let Some(job) = server.jobs.get(id).filter(|job| !job.phase().is_over())
            && state.watched.insert(id.clone())
        {
            tokio::spawn(follow(job.phases(), id.clone(), self.changed.clone()));
        }
        state.uris.insert(uri.to_owned(), subject);
        Ok(())
    }

    /// Removes a resource; one that is not there is no error.
    pub(in crate::server) fn unsubscribe(&self, uri: &str) {
        self.state().uris.remove(uri);
    }

    /// Starts to tell a session what changes; what is called again does nothing.
    pub(in crate::server) fn begin(self: &Arc<Self>, server: &Server, peer: &Peer<RoleServer>) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(heard) = heard else { return };
        let (listeners, server, sink) =
            (Arc::clone(self), server.clone(), Sink::Session(peer.clone()));
        let changes = server.store.changes();
        tokio::spawn(async move { listeners.tell(&server, &sink, changes, heard).await });
    }

    /// Tells until nobody is there any more.
    pub(in crate::server) async fn stream(&self, server: &Server, sink: SubscriptionSink) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(heard) = heard else { return };
        self.tell(server, &Sink::Stream(sink), server.store.changes(), heard).await;
    }

    async fn tell(
        &self,
        server: &Server,
        sink: &Sink,
        mut changes: broadcast::Receiver<Change>,
        mut heard: mpsc::Receiver<String>,
    ) {
        loop {
            let (list, uris) = tokio::select! {
                change = changes.recv() => match change {
                    Ok(Change::Added(_)) => (true, self.of(|subject| matches!(subject, Subject::Newest(_)))),
                    Ok(Change::Altered(id)) => (false, self.about(server, id.as_str())),
                    // Some changes were missed: any may be among them.
                    Err(RecvError::Lagged(_)) => (true, self.of(|_| true)),
                    Err(RecvError::Closed) => return,
                },
                Some(id) = heard.recv() => (false, self.about(server, &id)),
                () = server.shutdown.cancelled() => return,
            };
            if list && sink.wants_list() && gone(sink.list_changed()).await {
                return;
            }
            for uri in uris {
                if gone(sink.updated(uri)).await {
                    return;
                }
            }
        }
    }

    /// Subscribed URIs about a profile, in order.
    fn about(&self, server: &Server, id: &str) -> Vec<String> {
        self.of(|subject| match subject {
            Subject::Id(known) => known == id,
            Subject::Newest(name) => server.store.id_of(name).is_ok_and(|newest| newest == id),
        })
    }

    fn of(&self, wanted: impl Fn(&Subject) -> bool) -> Vec<String> {
        let state = self.state();
        let mut uris: Vec<_> = state
            .uris
            .iter()
            .filter(|(_, subject)| wanted(subject))
            .map(|(uri, _)| uri.clone())
            .collect();
        uris.sort_unstable();
        uris
    }
}

/// Sends a notification; true where its receiver is gone.
async fn gone(sent: impl Future<Output = Result<(), ()>>) -> bool {
    // A peer that is gone no longer drains notifications, and this would wait for ever.
    matches!(timeout(PATIENCE, sent).await, Ok(Err(())))
}

/// Says when a run changes, at most once a second, and when it ends.
async fn follow(mut phases: watch::Receiver<Phase>, id: String, changed: mpsc::Sender<String>) {
    loop {
        let over = timeout(RUN_EVERY, phases.wait_for(Phase::is_over)).await.is_ok();
        let lost = !over && phases.changed().await.is_err();
        if changed.send(id.clone()).await.is_err() || over || lost {
            return;
        }
    }
}

fn subject(server: &Server, uri: &str) -> Result<Subject, String> {
    let address = Address::parse(uri)?;
    let name = address.name.trim();
    if ["latest", "previous"].contains(&name) {
        return Ok(Subject::Newest(name.to_owned()));
    }
    if let Some(job) = server.jobs.get(name) {
        return Ok(Subject::Id(job.id.clone()));
    }
    // Looked up without a list of the folder, as most are.
    let id = ProfileId::try_from(name.to_owned()).ok();
    if let Some(id) = id.filter(|id| server.store.contains(id.as_str())) {
        return Ok(Subject::Id(id.to_string()));
    }
    server.store.id_of(name).map(Subject::Id).map_err(|error| error.to_string())
}

/// What is accepted of a request to listen: the list, and resources that are known.
pub(in crate::server) fn accepted(
    server: &Server,
    asked: &SubscriptionFilter,
) -> SubscriptionFilter {
    let mut accepted = SubscriptionFilter::builder();
    if asked.resources_list_changed == Some(true) {
        accepted = accepted.resources_list_changed();
    }
    let uris = asked.resource_subscriptions.iter().flatten().take(MOST);
    let known = uris.filter(|uri| subject(server, uri).is_ok()).cloned();
    accepted.resource_subscriptions(known.collect::<Vec<_>>()).build()
}
