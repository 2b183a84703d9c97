//! Who calls: user and groups behind a unique name, asked of the bus once and kept while the caller lives.

use super::{Board, rights::Who};
use crate::accounts::Accounts;
use futures_util::StreamExt as _;
use std::{collections::VecDeque, sync::Arc};
use tokio::{sync::OnceCell, task::AbortHandle};
use zbus::{
    Connection, MatchRule, MessageStream,
    fdo::DBusProxy,
    message::Type,
    names::{BusName, OwnedUniqueName},
    proxy::CacheProperties,
};

/// Callers that are remembered. Each costs a match rule, of which the bus grants 512
/// (dbus-daemon(1): `max_match_rules_per_connection`).
const MAX: usize = 128;

/// The callers, the one seen longest ago first.
#[derive(Debug, Default)]
pub(super) struct Callers(VecDeque<Caller>);

#[derive(Debug)]
struct Caller {
    name: OwnedUniqueName,
    who: Arc<OnceCell<Known>>,
}

/// What the bus said, and the task that waits for the caller's end.
#[derive(Debug)]
struct Known {
    who: Who,
    watch: AbortHandle,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Callers {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn remove(&mut self, name: &OwnedUniqueName) {
        self.0.retain(|caller| caller.name != *name);
    }

    /// Is somebody waiting for the end of `name`?
    pub(super) fn are_watching(&self, name: &OwnedUniqueName) -> bool {
        self.0.iter().any(|caller| caller.name == *name && caller.who.initialized())
    }

    /// The place of `name`, the newest from now on. Another one makes room unless `keep` wants it.
    fn place(&mut self, name: &OwnedUniqueName, keep: impl Fn(&OwnedUniqueName) -> bool) -> Arc<OnceCell<Known>> {
        let known = self.0.iter().position(|caller| caller.name == *name).and_then(|at| self.0.remove(at));
        let caller = known.unwrap_or_else(|| {
            if self.0.len() >= MAX
                && let Some(at) = self.0.iter().position(|caller| !keep(&caller.name))
            {
                self.0.remove(at);
            }
            Caller { name: name.clone(), who: Arc::default() }
        });
        let who = Arc::clone(&caller.who);
        self.0.push_back(caller);
        who
    }
}

/// Asks who `name` is. Any number of calls of one caller ask the bus once.
pub(super) async fn identify(board: &Arc<Board>, connection: &Connection, name: &OwnedUniqueName) -> zbus::Result<Who> {
    let place = {
        let mut state = board.lock();
        let state = &mut *state;
        state.callers.place(name, |name| state.subscribers.contains(name))
    };
    let known = place.get_or_try_init(|| ask(board, connection, name)).await;
    if known.is_err() {
        board.lock().callers.remove(name);
    }
    known.map(|known| known.who.clone())
}

async fn ask(board: &Arc<Board>, connection: &Connection, name: &OwnedUniqueName) -> zbus::Result<Known> {
    // First listen, then ask: who is gone by now is no answer, and who goes later is heard.
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg(0, name.as_str())
        .build()?;
    let mut gone = MessageStream::for_match_rule(rule, connection, None).await?;
    let bus = DBusProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
    let credentials = bus.get_connection_credentials(BusName::from(name.as_ref())).await?;
    let uid = match credentials.unix_user_id() {
        Some(uid) => uid,
        None => bus.get_connection_unix_user(BusName::from(name.as_ref())).await?,
    };
    let gids = match credentials.into_unix_group_ids() {
        Some(gids) => gids,
        // An older bus does not tell the groups: what the files give to the user.
        None => Accounts::read().map(|accounts| accounts.groups_of(uid)).unwrap_or_default(),
    };
    let (board, name) = (Arc::downgrade(board), name.clone());
    let watch = tokio::spawn(async move {
        gone.next().await;
        if let Some(board) = board.upgrade() {
            let mut state = board.lock();
            state.subscribers.remove(&name);
            state.callers.remove(&name);
        }
    });
    Ok(Known { who: Who { uid, gids }, watch: watch.abort_handle() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> OwnedUniqueName {
        OwnedUniqueName::try_from(format!(":1.{number}")).unwrap()
    }

    #[test]
    fn the_one_seen_longest_ago_makes_room_but_no_subscriber_does() {
        let mut callers = Callers::default();
        for number in 0..1000 {
            callers.place(&name(number), |kept| *kept == name(3));
            callers.place(&name(7), |kept| *kept == name(3));
        }
        assert_eq!(callers.0.len(), MAX);
        assert!(callers.0.iter().any(|caller| caller.name == name(3)));
        assert!(callers.0.iter().any(|caller| caller.name == name(7)));
        assert!(!callers.0.iter().any(|caller| caller.name == name(20)));
    }
}
