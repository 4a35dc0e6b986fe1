//! The session of a connection: who has logged in, and answers to lines.

use super::answer::{Answer, Effect, Refusal, print};
use super::call::Call;
use super::command::Run;
use super::commands::session::HELP;
use super::context::Argo;
use super::instance::Instance;
use super::line::Line;
use super::plugins::Facts;
use super::signature::Signature;
use super::table;
use super::words::split_words;
use crate::answer_memory::reserved;
use crate::core::caller::{Caller, Principal};
use crate::core::rights::User;
use crate::shape::state_word;
use bytes::Bytes;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, info};

/// The session of a connection.
pub(super) struct Session {
    argo: Argo,
    /// The caller whom the listener knows.
    caller: Caller,
    /// The user of the last successful `auth`.
    login: Option<Arc<User>>,
    /// How often `help` was answered before a login.
    helped: u32,
}

/// How often `help` is answered before a login: a line of five bytes has an answer of a kilobyte.
const MAX_HELPED: u32 = 3;

/// The answer to a line.
#[derive(Debug)]
pub(super) struct Reply {
    /// Reserved if it is large.
    pub(super) text: Bytes,
    /// Whether the connection is closed afterwards.
    pub(super) is_last: bool,
}

impl Session {
    pub(super) fn new(argo: Argo, caller: Caller) -> Self {
        Self { argo, caller, login: None, helped: 0 }
    }

    /// The answer to a line; `None` to an empty one.
    pub(super) async fn answer(&mut self, line: Line) -> Option<Reply> {
        let (caller, is_authenticated) = self.principal();
        let mut command = None;
        let answer = match line {
            Line::TooLong => Err(Refusal::LineTooLong),
            Line::NotText => Err(Refusal::NotText),
            Line::Text(text) => match split_words(&text) {
                Err(_) => Err(Refusal::BadQuotes),
                Ok(words) => {
                    let (name, words) = words.split_first()?;
                    command = Some(name.to_owned());
                    if self.may_go_on(is_authenticated, name) {
                        self.perform(&caller, is_authenticated, name, words).await
                    } else {
                        Err(Refusal::NotAuthenticated)
                    }
                }
            },
        };
        // Its arguments may be passwords.
        let error = answer.as_ref().err().map(tracing::field::display);
        debug!(%caller, command, error, "Command");
        Some(self.reply(answer))
    }

    /// Counts the answers of `help` before a login.
    fn may_go_on(&mut self, is_authenticated: bool, name: &str) -> bool {
        if is_authenticated || name != HELP.signature.name {
            return true;
        }
        self.helped = self.helped.saturating_add(1);
        self.helped <= MAX_HELPED
    }

    /// How long the session may send no command.
    pub(super) fn idle_limit(&mut self) -> Duration {
        let (_, is_authenticated) = self.principal();
        let options = self.argo.options();
        if is_authenticated { options.idle_limit } else { options.login_limit }
    }

    /// The last words of a session that ends by itself.
    pub(super) fn farewell(&mut self, reason: Refusal) -> Reply {
        Reply { is_last: true, ..self.reply(Err(reason)) }
    }

    /// Lets the answer take its effect on the session, and prints it.
    fn reply(&mut self, mut answer: Answer) -> Reply {
        let effect = answer.as_mut().map(|output| mem::take(&mut output.effect));
        let mut is_last = false;
        match effect.unwrap_or_default() {
            Effect::None => {}
            Effect::LogIn(user) => self.login = Some(user),
            Effect::Close => is_last = true,
        }
        let (_, is_authenticated) = self.principal();
        let text = reserved(&self.argo.options().answers, print(&answer, is_authenticated));
        let busy = |_| print(&Err(Refusal::Busy), is_authenticated).into();
        Reply { text: text.unwrap_or_else(busy), is_last }
    }

    /// Who calls now, and whether somebody has logged in. A login ends when its account is revoked.
    fn principal(&mut self) -> (Caller, bool) {
        self.login.take_if(|user| user.is_revoked());
        if let Some(user) = &self.login {
            return (self.caller.logged_in(user.clone()), true);
        }
        match &self.caller.principal {
            Principal::Operator => (self.caller.clone(), true),
            Principal::User(user) if !user.is_revoked() => (self.caller.clone(), true),
            Principal::User(_) | Principal::Nobody => {
                let caller = match self.argo.logins().anonymous() {
                    Some(anonymous) => self.caller.logged_in(anonymous),
                    None => Caller::nobody(self.caller.via.clone()),
                };
                (caller, false)
            }
        }
    }

    /// Finds a command, checks its arguments and the caller's right, and carries it out.
    async fn perform(
        &self,
        caller: &Caller,
        is_authenticated: bool,
        name: &str,
        words: &[String],
    ) -> Answer {
        let argo = &self.argo;
        let call = Call { argo, view: argo.engine().view(caller), words, is_authenticated };
        if let Some(command) = table::find(name) {
            let instance = admit(&call, &command.signature).await?;
            return match (&command.run, &instance) {
                (Run::Plain(run), _) => run(&call).await,
                (Run::Instance(run), Some(instance)) => run(&call, instance).await,
                (Run::Instance(_), None) => Err(Refusal::NoSuchInstance),
            };
        }
        // Before a login there are none: nobody learns of them, and none runs.
        let plugins = argo.plugins().filter(|_| is_authenticated).ok_or(Refusal::UnknownCommand)?;
        let plugin = plugins.find(name).await?;
        let instance = admit(&call, &plugin.signature).await?;
        let mut words = words.to_vec();
        if let (Some(instance), Some(first)) = (&instance, words.first_mut()) {
            // The name, in whatever way the caller put it.
            instance.name().clone_into(first);
        }
        let facts = facts(&call, name, instance.as_ref());
        let user = caller.user().map(|user| user.name()).unwrap_or_default();
        let answer = plugins.run(&plugin, user, &words, &facts).await;
        let domain = instance.as_ref().map(Instance::name).unwrap_or_default();
        match &answer {
            Ok(_) => info!(%caller, command = name, domain, "Done"),
            Err(error) => info!(%caller, command = name, domain, %error, "Failed"),
        }
        answer
    }
}

/// Checks the arguments of a command and the caller's right, and finds the instance.
async fn admit(call: &Call<'_>, signature: &Signature) -> Result<Option<Instance>, Refusal> {
    if !signature.takes(call.words) {
        return Err(Refusal::Usage(signature.usage()));
    }
    let access = call.caller().access();
    let instance = match call.words.first().filter(|_| signature.is_on_instance()) {
        Some(name) => {
            let found = Instance::find(call.argo, &call.view, name).await;
            Some(found.map_err(|error| call.failure(&error))?)
        }
        None => None,
    };
    let is_allowed = match &instance {
        Some(instance) => access.meets_on(signature.need, instance.rights(&call.view)),
        None => signature.is_for(&access),
    };
    if is_allowed { Ok(instance) } else { Err(call.refused()) }
}

/// The environment of a program.
fn facts(call: &Call<'_>, command: &str, instance: Option<&Instance>) -> Facts {
    let caller = call.caller();
    let user = caller.user();
    let mut facts = vec![
        ("ARGO_COMMAND", command.to_owned()),
        ("ARGO_USER", user.map(|user| user.name().to_owned()).unwrap_or_default()),
        ("ARGO_PEER", caller.via.to_string()),
    ];
    let Some(instance) = instance else { return facts };
    let domain = instance.domain().ok();
    let text = |fact: Option<String>| fact.unwrap_or_default();
    let config = instance.config();
    facts.extend([
        ("XEND_DOMAIN", instance.name().to_owned()),
        ("XEND_DOMAIN_UUID", text(domain.map(|domain| domain.uuid.to_string()))),
        ("XEND_DOMID", text(domain.and_then(|domain| Some(domain.domid()?.to_string())))),
        ("XEND_STATE", domain.map_or("halted", state_word).to_owned()),
        ("XEND_MEMORY_MIB", config.memory.to_string()),
        ("XEND_VCPUS", config.vcpus.to_string()),
    ]);
    facts
}
