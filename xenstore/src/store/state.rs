//! The state of the store: nodes, domains and connections, and what requests do with them.

use super::arguments::{number, one, texts, two};
use super::domains::Domains;
use super::node::Who;
use super::paths;
use super::quota::{GUEST_TRANSACTIONS, GUEST_WATCHES, HOST_TRANSACTIONS, HOST_WATCHES, at_most};
use super::requests::{self, done, remove_tree};
use super::session::{News, Session, Wake};
use super::transaction::Inside;
use super::tree::{INTRODUCED, RELEASED, Tree};
use super::view::{Change, Direct};
use super::watch::{Watch, may_hear};
use crate::error::{Error, Refusal};
use crate::events::WatchEvent;
use crate::wire::{MAX_PAYLOAD, MessageType, join};
use std::collections::BTreeMap;

/// What a domain calls itself.
const DOMID_SELF: u32 = 0x7ff0;

/// The state that a [`Store`] guards.
///
/// [`Store`]: super::connection::Store
pub(crate) struct State {
    tree: Tree,
    domains: Domains,
    sessions: BTreeMap<u64, Session>,
    last_session: u64,
    news: News,
}

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) kind: u32,
    /// 0 is none.
    pub(crate) transaction: u32,
    pub(crate) payload: &'a [u8],
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            tree: Tree::new(),
            domains: Domains::new(),
            sessions: BTreeMap::new(),
            last_session: 0,
            news: News::default(),
        }
    }

    /// Opens a connection of a domain, if the domain is there.
    pub(crate) fn open(&mut self, domid: u32) -> Option<u64> {
        if !self.is_introduced(domid) {
            return None;
        }
        self.last_session += 1;
        self.sessions.insert(self.last_session, Session::of(domid));
        Some(self.last_session)
    }

    /// Ends a connection. What is returned must be dropped when the state is no longer locked: a
    /// caller's closure goes with it.
    #[must_use]
    pub(crate) fn close(&mut self, session: u64) -> Option<Session> {
        self.sessions.remove(&session)
    }

    /// Replaces whom to call. What is returned must be dropped when the state is no longer locked.
    #[must_use]
    pub(crate) fn set_wake(&mut self, session: u64, wake: Wake) -> Option<Wake> {
        self.sessions.get_mut(&session)?.wake.replace(wake)
    }

    /// What must be done when the state is no longer locked.
    pub(crate) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// The oldest event of a connection, if one waits.
    pub(crate) fn pop_event(&mut self, session: u64) -> Result<Option<WatchEvent>, Error> {
        self.sessions.get_mut(&session).ok_or(Error::Closed)?.pop_event()
    }

    /// Whether a connection has an event to take, or its end to learn of.
    pub(crate) fn has_event(&self, session: u64) -> bool {
        self.sessions.get(&session).is_none_or(Session::has_event)
    }

    pub(crate) fn is_introduced(&self, domid: u32) -> bool {
        self.domains.contains(domid)
    }

    /// Introduces a domain. One that is known already loses its watches and transactions.
    pub(crate) fn introduce(&mut self, domid: u32) -> Result<(), Refusal> {
        if self.domains.add(domid)? {
            self.tell_of_domains(INTRODUCED);
        } else {
            self.sessions_of(domid).for_each(Session::reset);
        }
        Ok(())
    }

    /// Notes that a domain has shut down.
    pub(crate) fn shut_down(&mut self, domid: u32) -> Result<(), Refusal> {
        if self.domains.set_shut_down(domid, true)? {
            self.tell_of_domains(RELEASED);
        }
        Ok(())
    }

    /// Forgets a domain: its connections end, and its nodes and rights to others' nodes go.
    pub(crate) fn release(&mut self, domid: u32) -> Result<(), Refusal> {
        self.domains.remove(domid)?;
        for session in self.sessions.values_mut() {
            if session.domid == domid {
                session.close(&mut self.news);
            }
            session.transactions.values_mut().for_each(|one| one.forget_domain(domid));
        }
        let mut owned = self.tree.paths(|node| node.owner() == domid);
        // Those above come before those below, which go with them.
        owned.sort_unstable();
        let mut view = Direct { tree: &mut self.tree, changes: Vec::new() };
        for path in owned {
            let can_be_removed = paths::parent(&path).is_some();
            if can_be_removed && view.tree.get(&path).is_some() {
                remove_tree(&mut view, &path)?;
            }
        }
        let changes = view.changes;
        self.tree.forget_domain(domid);
        self.tell(&changes);
        self.tell_of_domains(RELEASED);
        Ok(())
    }

    /// Gives a domain the rights of another one, too.
    pub(crate) fn set_target(&mut self, domid: u32, target: u32) -> Result<(), Refusal> {
        self.domains.set_target(domid, target)
    }

    /// Answers a request with the payload of its reply.
    pub(crate) fn answer(&mut self, session: u64, request: Request<'_>) -> Result<Vec<u8>, Error> {
        let Some(open) = self.sessions.get(&session).filter(|session| !session.is_closed) else {
            return Err(Error::Closed);
        };
        let who = self.domains.who(open.domid);
        let reply = self.reply(session, who, request)?;
        if reply.len() > MAX_PAYLOAD {
            return Err(Error::Refused(Refusal::TooBig));
        }
        Ok(reply)
    }

    fn reply(&mut self, session: u64, who: Who, request: Request<'_>) -> Result<Vec<u8>, Refusal> {
        let Request { kind, transaction, payload } = request;
        let kind = MessageType::from_number(kind).ok_or(Refusal::Unsupported)?;
        if is_for_host(kind) && !who.is_host() {
            return Err(Refusal::Access);
        }
        // Watches are in no transaction, whatever the request says.
        match kind {
            MessageType::Watch => return self.watch(session, who, payload).map(done),
            MessageType::Unwatch => return self.unwatch(session, who, payload).map(done),
            _ => {}
        }
        let open = self.session(session)?;
        if transaction != 0 && !open.transactions.contains_key(&transaction) {
            return Err(Refusal::NotFound);
        }
        match kind {
            MessageType::WatchEvent | MessageType::Error => Err(Refusal::Unsupported),
            MessageType::Control => control(payload),
            MessageType::TransactionStart if transaction != 0 => Err(Refusal::Busy),
            MessageType::TransactionStart => self.start(session, who),
            MessageType::TransactionEnd => {
                self.end(session, who, transaction, one(payload)?).map(done)
            }
            MessageType::Introduce => self.introduce_again(payload).map(done),
            MessageType::Release => self.release(number(one(payload)?)?).map(done),
            MessageType::GetDomainPath => Ok(join([&*paths::of_domain(number(one(payload)?)?)])),
            MessageType::IsDomainIntroduced => {
                let domid = number(one(payload)?)?;
                let is_known = domid == DOMID_SELF || self.is_introduced(domid);
                Ok(join([if is_known { "T" } else { "F" }]))
            }
            MessageType::Resume => {
                self.domains.set_shut_down(number(one(payload)?)?, false).map(|_| done(()))
            }
            MessageType::SetTarget => {
                let (domid, target) = two(payload)?;
                self.set_target(number(domid)?, number(target)?).map(done)
            }
            MessageType::ResetWatches => {
                open.reset();
                Ok(done(()))
            }
            _ => self.nodes(session, who, kind, request),
        }
    }

    /// A request that reads or changes nodes.
    fn nodes(
        &mut self,
        session: u64,
        who: Who,
        kind: MessageType,
        request: Request<'_>,
    ) -> Result<Vec<u8>, Refusal> {
        let Self { tree, domains, sessions, .. } = self;
        let open = sessions.get_mut(&session).ok_or(Refusal::Io)?;
        if let Some(transaction) = open.transactions.get_mut(&request.transaction) {
            let mut view = Inside { tree, transaction, who };
            return requests::answer(&mut view, domains, who, kind, request.payload);
        }
        let mut view = Direct { tree, changes: Vec::new() };
        let reply = requests::answer(&mut view, domains, who, kind, request.payload);
        let changes = view.changes;
        self.tell(&changes);
        reply
    }

    /// The request can introduce only domains that the hypervisor knows, and these are introduced.
    fn introduce_again(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let [domid, _, port] = *texts(payload)? else { return Err(Refusal::Invalid) };
        let domid = number(domid)?;
        if number::<u32>(port)? == 0 {
            return Err(Refusal::Invalid);
        }
        if self.is_introduced(domid) { self.introduce(domid) } else { Err(Refusal::NotFound) }
    }

    fn watch(&mut self, session: u64, who: Who, payload: &[u8]) -> Result<(), Refusal> {
        let (path, token) = two(payload)?;
        let resolved = paths::resolve_watched(who.domid, path)?;
        let used: usize = self.sessions_of(who.domid).map(|session| session.watches.len()).sum();
        let open = self.sessions.get_mut(&session).ok_or(Refusal::Io)?;
        if open.watches.iter().any(|watch| watch.is(&resolved, token)) {
            return Err(Refusal::Exists);
        }
        let limit = if who.is_host() { HOST_WATCHES } else { GUEST_WATCHES };
        at_most(used, limit, Refusal::TooBig)?;
        let watch = Watch::new(who.domid, resolved, token, paths::is_relative(path));
        open.watch(watch, &mut self.news);
        Ok(())
    }

    fn unwatch(&mut self, session: u64, who: Who, payload: &[u8]) -> Result<(), Refusal> {
        let (path, token) = two(payload)?;
        let path = paths::resolve_watched(who.domid, path)?;
        self.session(session)?.unwatch(&path, token)
    }

    fn start(&mut self, session: u64, who: Who) -> Result<Vec<u8>, Refusal> {
        let sessions = self.sessions_of(who.domid);
        let used: usize = sessions.map(|session| session.transactions.len()).sum();
        let limit = if who.is_host() { HOST_TRANSACTIONS } else { GUEST_TRANSACTIONS };
        at_most(used, limit, Refusal::NoSpace)?;
        Ok(join([&*self.session(session)?.start().to_string()]))
    }

    fn end(&mut self, session: u64, who: Who, id: u32, how: &str) -> Result<(), Refusal> {
        let is_carried_out = match how {
            "T" => true,
            "F" => false,
            _ => return Err(Refusal::Invalid),
        };
        let transaction = self.session(session)?.transactions.remove(&id);
        let transaction = transaction.ok_or(Refusal::NotFound)?;
        if is_carried_out {
            let changes = transaction.commit(&mut self.tree, who)?;
            self.tell(&changes);
        }
        Ok(())
    }

    fn session(&mut self, session: u64) -> Result<&mut Session, Refusal> {
        self.sessions.get_mut(&session).ok_or(Refusal::Io)
    }

    fn sessions_of(&mut self, domid: u32) -> impl Iterator<Item = &mut Session> {
        self.sessions.values_mut().filter(move |session| session.domid == domid)
    }

    /// Queues the events of changes.
    fn tell(&mut self, changes: &[Change]) {
        for session in self.sessions.values_mut().filter(|session| !session.watches.is_empty()) {
            let who = self.domains.who(session.domid);
            for change in changes.iter().filter(|change| may_hear(who, change)) {
                session.hear(change, &mut self.news);
            }
        }
    }

    fn tell_of_domains(&mut self, special: &str) {
        self.tell(&[Change::new(&self.tree, special, true, None)]);
    }
}

#[cfg(test)]
impl State {
    pub(crate) fn contents(&self) -> BTreeMap<String, String> {
        self.tree.contents()
    }

    /// Fails with what is inconsistent.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.tree.check(|domid| self.domains.contains(domid))
    }
}

fn is_for_host(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::Control
            | MessageType::Introduce
            | MessageType::Release
            | MessageType::IsDomainIntroduced
            | MessageType::Resume
            | MessageType::SetTarget
    )
}

/// Only the check of the daemon's own data is there to be asked for, and finds nothing.
fn control(payload: &[u8]) -> Result<Vec<u8>, Refusal> {
    match *texts(payload)? {
        ["check"] => Ok(done(())),
        _ => Err(Refusal::Invalid),
    }
}
