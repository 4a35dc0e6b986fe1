//! The copies of definitions here, compared with what the fleet has: when a membership begins, when
//! one was changed here, and when the fleet gives this host another one.

use super::judge::{Seen, Verdict, judge};
use super::locals::Stage;
use super::news::{Dispute, News};
use super::note::Note;
use super::state::Owner;
use super::step::{Done, Failed, Scope};
use super::text::{digest_of, text_of};
use super::writer::Settled;
use crate::core::error::Error;
use crate::core::fleet_domain::{Act, DefinitionStep, Refusal};
use crate::core::model::{CompleteConfig, Uuid};
use crate::core::ports::Copies;
use crate::fleet::backoff::Backoff;
use crate::fleet::domain::{FoundDomain, Trouble};
use crate::fleet::kv::{KvError, KvEvent, Listing, Revision, Watched};
use crate::fleet::membership::Membership;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

/// How often is looked again at definitions that the fleet cannot have.
const RECHECK: Duration = Duration::from_secs(60);

/// How long is waited for a domain that is busy. It does what it was asked for later, and is
/// compared again.
const BUSY: Duration = Duration::from_secs(5);

/// A copy and its definition in the fleet, as they were compared.
struct Compared {
    copy: Option<Arc<CompleteConfig>>,
    digest: Option<String>,
    note: Option<Note>,
    found: FoundDomain,
    /// What the fleet has; the error says why it cannot be read.
    definition: Result<Option<Arc<CompleteConfig>>, String>,
    seen: Option<Seen>,
}

impl Owner {
    /// Keeps the copies what the fleet says, and tells it what was changed here.
    pub(super) async fn follow_definitions(
        &self,
        membership: Membership,
        copies: &dyn Copies,
    ) -> Infallible {
        let mut backoff = Backoff::default();
        let mut is_refused = false;
        loop {
            let error = match self.follow(membership, copies, &mut backoff).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            if matches!(error, KvError::Refused(_)) && !is_refused {
                is_refused = true;
                warn!(%error, "This host cannot read its definitions in the fleet");
            }
            backoff.wait().await;
        }
    }

    async fn follow(
        &self,
        membership: Membership,
        copies: &dyn Copies,
        backoff: &mut Backoff,
    ) -> Result<Infallible, KvError> {
        let prefix = self.keys.homes_of(&self.host);
        let listing = self.kv.list(&prefix).await?;
        let next = Revision(listing.revision.0 + 1);
        self.announce_all(copies, listing);
        let mut changes = self.kv.watch(&prefix, next).await?;
        let mut recheck = Instant::now() + RECHECK;
        let mut clashes = self.published_clashes().await?;
        loop {
            let is_all = self.settle_definitions(copies).await?;
            if is_all {
                backoff.reset();
            }
            self.publish_clashes(membership, &mut clashes).await?;
            if std::mem::take(&mut self.news_table().has_lost_some) {
                let listing = self.kv.list(&prefix).await?;
                self.announce_all(copies, listing);
                continue;
            }
            tokio::select! {
                change = changes.next() => match change {
                    Some(Ok(Watched::Events(events))) => self.announce_changes(events),
                    Some(Ok(Watched::Progress(_))) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Err(KvError::Unreachable("the watch has ended".to_owned())),
                },
                () = self.definition_news.notified() => {}
                () = backoff.wait(), if !is_all => {}
                () = sleep_until(recheck) => {
                    self.recheck();
                    recheck = Instant::now() + RECHECK;
                }
            }
        }
    }

    /// Whatever is not agreed about is to be looked at again.
    fn recheck(&self) {
        self.news_table().recheck();
        for (domain, ..) in self.locals().nameless() {
            self.tell(domain);
        }
    }

    /// Everything is to be compared: what is here, what was here, and what is to be here.
    fn announce_all(&self, copies: &dyn Copies, listing: Listing) {
        let ops: BTreeMap<Uuid, Option<Uuid>> = listing
            .entries
            .into_iter()
            .filter_map(|entry| {
                let domain = self.keys.parse_home(&self.host, &entry.key)?;
                Some((domain, entry.uuid()))
            })
            .collect();
        let mut table = self.news_table();
        let present = copies.defined().into_iter().chain(self.notes.domains());
        for domain in present.chain(ops.keys().copied()) {
            table.add(domain, News::Compare(ops.get(&domain).copied().flatten()));
        }
    }

    fn announce_changes(&self, events: Vec<KvEvent>) {
        let mut table = self.news_table();
        for event in events {
            let Some(domain) = self.keys.parse_home(&self.host, event.key()) else { continue };
            let op = match event {
                KvEvent::Put(entry) => entry.uuid(),
                KvEvent::Deleted { .. } => None,
            };
            table.add(domain, News::Compare(op));
        }
    }

    /// Deals with all news, and tells whether none is left.
    async fn settle_definitions(&self, copies: &dyn Copies) -> Result<bool, KvError> {
        let domains = self.news_table().domains();
        for domain in domains {
            if let Settled::Silence = self.settle_definition(copies, domain).await? {
                return Err(KvError::Unreachable("etcd does not answer".to_owned()));
            }
        }
        Ok(self.news_table().is_empty())
    }

    async fn settle_definition(
        &self,
        copies: &dyn Copies,
        domain: Uuid,
    ) -> Result<Settled, KvError> {
        let turn = self.turn(domain).await;
        // A client may have changed it meanwhile.
        let Some((number, news)) = self.news_table().get(domain) else { return Ok(Settled::Yes) };
        let settled = self.compare_definition(copies, domain, &news, turn).await?;
        if let Settled::Yes = settled {
            self.news_table().settled(domain, number);
        }
        Ok(settled)
    }

    async fn compare_definition(
        &self,
        copies: &dyn Copies,
        domain: Uuid,
        news: &News,
        turn: sync::MutexGuard<'_, ()>,
    ) -> Result<Settled, KvError> {
        if self.locals().stage(domain) == Some(Stage::Moving) {
            // When it is known which host has it, it is to be compared in any case.
            let is_look = matches!(news, News::Compare(_));
            return Ok(if is_look { Settled::Yes } else { Settled::NotYet });
        }
        let copy = match news {
            News::Changed(copy) => copy.clone(),
            News::Failed | News::Compare(_) => copies.definition(domain),
        };
        let digest = copy.as_deref().map(digest_of);
        let note = self.notes.get(domain);
        if let (News::Compare(Some(op)), Some(note), Some(digest)) = (news, &note, &digest) {
            if note.op == *op && note.digest == *digest {
                self.news_table().disputed.remove(&domain);
                return Ok(Settled::Yes);
            }
        }
        let found = match FoundDomain::read(&*self.kv, &self.keys, domain).await {
            Ok(found) => found,
            Err(Trouble::Kv(error)) => return Err(error),
            Err(Trouble::Strange(reason)) => {
                self.dispute(domain, copy.as_deref(), &Dispute::Other(reason));
                return Ok(Settled::Yes);
            }
            Err(Trouble::Refused(_)) => return Ok(Settled::NotYet),
        };
        let is_noted = note.as_ref().zip(digest.as_ref()).is_some_and(|(note, digest)| {
            note.digest == *digest && found.domain.defined.as_ref().is_some_and(|d| d.op == note.op)
        });
        // What the copy became, or was made of, need not be opened.
        let definition = if is_noted { Ok(copy.clone()) } else { self.definition_in(&found).await };
        let seen = found.domain.defined.as_ref().zip(found.definition.as_ref());
        let seen = seen.map(|(defined, entry)| Seen {
            home: defined.home.clone(),
            op: defined.op,
            revision: entry.modified,
            is_same: copy.is_some() && definition.as_ref().is_ok_and(|there| *there == copy),
        });
        let is_changed = !matches!(news, News::Compare(_));
        let verdict =
            judge(&self.host, digest.as_deref(), note.as_ref(), seen.as_ref(), is_changed);
        debug!(%domain, ?verdict, "A definition was compared with the fleet's");
        let compared = Compared { copy, digest, note, found, definition, seen };
        self.carry_out(copies, verdict, compared, turn).await
    }

    /// The definition that the fleet has.
    async fn definition_in(
        &self,
        found: &FoundDomain,
    ) -> Result<Option<Arc<CompleteConfig>>, String> {
        let Some(text) = &found.text else { return Ok(None) };
        let key = self.keys.definition(found.uuid);
        let read = self.opened(text, found.uuid).await;
        read.map(|definition| Some(Arc::new(definition)))
            .map_err(|reason| format!("{key} in etcd cannot be read: {reason}"))
    }

    async fn carry_out(
        &self,
        copies: &dyn Copies,
        verdict: Verdict,
        compared: Compared,
        turn: sync::MutexGuard<'_, ()>,
    ) -> Result<Settled, KvError> {
        let domain = compared.found.uuid;
        let noted = compared.seen.as_ref().zip(compared.digest.as_ref());
        match verdict {
            Verdict::Agreed => {
                self.news_table().disputed.remove(&domain);
            }
            Verdict::Note => {
                let note =
                    noted.map(|(seen, digest)| Note::new(seen.op, seen.revision, digest.clone()));
                self.notes.set(domain, note).await;
                self.news_table().disputed.remove(&domain);
            }
            Verdict::Write => return Ok(self.write_copy(&compared).await),
            Verdict::Remove => {
                let act = Act::definition(DefinitionStep::Remove);
                match self.act(domain, &act, None).await {
                    Ok(done) => self.note(domain, None, done).await,
                    Err(failed) => return Ok(self.not_written(&compared, failed)),
                }
            }
            Verdict::Take => return Ok(self.take(copies, compared, turn).await),
            Verdict::SetAside => {
                drop(turn);
                let Some(copy) = compared.copy.clone() else { return Ok(Settled::Yes) };
                match soon(copies.set_aside(copy)).await {
                    Ok(true) => self.note(domain, None, Done::Same).await,
                    Ok(false) => self.dispute_uuid(&compared),
                    Err(error) => {
                        self.dispute(
                            domain,
                            compared.copy.as_deref(),
                            &Dispute::Other(error.to_string()),
                        );
                    }
                }
            }
            Verdict::Foreign => self.dispute_uuid(&compared),
        }
        Ok(Settled::Yes)
    }

    /// Tells the fleet what is here.
    async fn write_copy(&self, compared: &Compared) -> Settled {
        let domain = compared.found.uuid;
        let Some(copy) = &compared.copy else { return Settled::Yes };
        let act = Act::definition(DefinitionStep::Keep(copy.name.clone()));
        match self.act(domain, &act, Some(copy)).await {
            Ok(Done::Outside) => Settled::NotYet,
            Ok(done) => {
                self.note(domain, Some(&text_of(copy)), done).await;
                Settled::Yes
            }
            Err(failed) => self.not_written(compared, failed),
        }
    }

    fn not_written(&self, compared: &Compared, failed: Failed) -> Settled {
        let domain = compared.found.uuid;
        let copy = compared.copy.as_deref();
        match failed {
            Failed::Refused(Refusal::NameTaken { host, .. }) => {
                self.dispute(domain, copy, &Dispute::Name(host));
                Settled::Yes
            }
            Failed::Refused(Refusal::DefinedAt { home, .. }) => {
                self.dispute(domain, copy, &Dispute::Uuid(home));
                Settled::Yes
            }
            Failed::Refused(Refusal::NotOurs(not_ours)) => {
                self.dispute(domain, copy, &Dispute::Uuid(not_ours.owner));
                Settled::Yes
            }
            Failed::Refused(Refusal::Undefined) => Settled::Yes,
            Failed::TooLong(reason) => {
                self.dispute(domain, copy, &Dispute::Other(reason.to_string()));
                Settled::Yes
            }
            Failed::NoKey(reason) | Failed::Unguarded(reason) => {
                self.dispute(domain, copy, &Dispute::Other(reason));
                Settled::Yes
            }
            Failed::Unavailable { reason, scope, .. } => {
                debug!(%domain, reason, "The fleet is told later of a definition");
                if scope == Scope::Silence { Settled::Silence } else { Settled::NotYet }
            }
        }
    }

    /// Makes the copy what the fleet has. A domain that is here may wait for its turn: it is not
    /// held then, and the domain looks whether its copy is still the one that was compared.
    async fn take(
        &self,
        copies: &dyn Copies,
        compared: Compared,
        turn: sync::MutexGuard<'_, ()>,
    ) -> Settled {
        let domain = compared.found.uuid;
        let definition = match compared.definition {
            Ok(Some(definition)) => definition,
            Ok(None) => return Settled::Yes,
            Err(reason) => {
                self.dispute(domain, compared.copy.as_deref(), &Dispute::Other(reason));
                return Settled::Yes;
            }
        };
        let name = definition.name.clone();
        let digest = digest_of(&definition);
        let taken = if copies.is_here(domain) {
            drop(turn);
            soon(copies.replace(definition, compared.copy.clone())).await
        } else {
            copies.add(definition).await
        };
        let is_same = || copies.definition(domain) == compared.copy;
        let dispute = match (taken, compared.seen) {
            // Another copy has come meanwhile, or may come.
            (Ok(false), _) if !is_same() => return Settled::NotYet,
            (Err(Error::Undecided { .. }), _) => return Settled::NotYet,
            (Ok(true), Some(seen)) => {
                // One that was changed meanwhile has another note, or another digest.
                if self.notes.get(domain) == compared.note {
                    let note = Note::new(seen.op, seen.revision, digest);
                    self.notes.set(domain, Some(note)).await;
                }
                self.news_table().disputed.remove(&domain);
                info!(%domain, %name, "A definition of the fleet is here now");
                return Settled::Yes;
            }
            (Ok(_), _) => "a domain here has its name, or is being changed".to_owned(),
            (Err(error), _) => error.to_string(),
        };
        self.dispute_named(domain, &name, &Dispute::Other(dispute));
        Settled::Yes
    }

    fn dispute_uuid(&self, compared: &Compared) {
        let home = compared.seen.as_ref().and_then(|seen| seen.home.clone());
        self.dispute(compared.found.uuid, compared.copy.as_deref(), &Dispute::Uuid(home));
    }
}

/// The answer of a domain; no if it is busy for long.
async fn soon(answer: impl Future<Output = Result<bool, Error>>) -> Result<bool, Error> {
    timeout(BUSY, answer).await.unwrap_or(Ok(false))
}
