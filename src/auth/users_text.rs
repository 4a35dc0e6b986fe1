//! The text of the users file.
//!
//! ```text
//! (user steve (password '$argon2id$...') (domains lj 'one.my.*') (rights see power console))
//! (user ann pam (uid 1000) (role owner) (domains 'ann-*'))
//! (user root (password '$argon2id$...') operator)
//! (role owner (rights see power console create)
//!     (limits (domains 4) (memory 4096) (disks /dev/vg0/ann-) (bridges xenbr1)))
//! (anonymous (domains lj) (rights see))
//! ```
//!
//! In any order, and in the dialect of xend's other files (`#` begins a comment):
//!
//! | | |
//! |---|---|
//! | `(user NAME ITEM ..)` | an account |
//! | `(role NAME ITEM ..)` | what several users have in common |
//! | `(anonymous ITEM ..)` | what callers may do who have not logged in, on wires that have it |
//!
//! Items of users, roles and `anonymous`:
//!
//! | | |
//! |---|---|
//! | `(domains NAME ..)` | names, patterns with `*`, UUIDs. Only its full name means Domain-0 |
//! | `(rights RIGHT ..)` | rights on these domains, by the names of `core::rights::Right`; `all` |
//! | `(grant (domains ..) (rights ..))` | further domains, with other rights; any number of them |
//! | `(limits LIMIT ..)` | limits for users who create domains and attach devices |
//!
//! Items of users alone:
//!
//! | | |
//! |---|---|
//! | `(password HASH)` | the argon2 hash of the password, as `xend user password NAME` sets it |
//! | `pam` | the password is that of this machine's user of the same name |
//! | `(uid NUMBER ..)` | this machine's users who have the account without a password |
//! | `(role NAME ..)` | the roles of the user |
//! | `operator` | the user may do everything |
//!
//! A user has a password, `pam` or a `uid`. The rights of a role without domains are rights on the
//! user's own domains. A number in the user's own limits counts before those of the roles, of which
//! the highest counts. Places add up.
//!
//! Limits. A number that is not given is no limit. Only the places that are given are allowed:
//!
//! | | |
//! |---|---|
//! | `(domains N)`, `(memory MIB)`, `(vcpus N)` | of all domains together |
//! | `(disks PLACE ..)` | the beginnings of the paths of disks: `/srv/ann/`, `/dev/vg0/ann-` |
//! | `(bridges NAME ..)` | the bridges of network interfaces |
//! | `(kernels DIR ..)` | the directories of kernels and RAM disks |
//! | `(files DIR ..)` | the directories of files to save to, restore from and dump to |
//! | `(hosts NAME ..)` | the hosts to migrate to |
//!
//! The directories of these places must be writable by root alone: whoever writes one could put a
//! link in place of what is about to be opened. A file in another directory is refused.

use super::access_text::{AccessText, given_twice, unknown, values};
use super::hash::check_hash;
use super::mistake::Mistake;
use crate::core::model::Invalid;
use crate::core::rights::{Access, Account, Accounts, Credential};
use crate::sxp::{self, Sxp};
use std::collections::{HashMap, HashSet};

/// The largest users file, in bytes.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The largest number of users, and of roles.
const MAX_USERS: usize = 10_000;

/// The limits of the reader.
pub(super) const LIMITS: sxp::Limits =
    sxp::Limits { bytes: MAX_BYTES, depth: 16, count: 1_000_000 };

/// The longest name of a user or a role, in bytes.
const MAX_NAME: usize = 64;

/// Items that are single words.
const WORDS: [&str; 2] = ["pam", "operator"];

/// The items of a user.
const USER_KEYS: [&str; 9] =
    ["password", "pam", "operator", "uid", "role", "domains", "rights", "grant", "limits"];

/// The items of `anonymous`.
const ANONYMOUS_KEYS: [&str; 5] = ["role", "domains", "rights", "grant", "limits"];

/// The number of mistakes that are reported.
const MAX_MISTAKES: usize = 20;

/// The content of a users file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Users {
    pub(super) accounts: Vec<Account>,
    pub(super) anonymous: Option<Account>,
}

/// Reads the text of a users file. `has_pam` tells whether this xend is built with PAM.
pub(super) fn read(text: &[u8], has_pam: bool) -> Result<Users, Vec<Mistake>> {
    let expressions = sxp::read_all(text, &LIMITS)
        .map_err(|error| vec![Mistake { offset: error.offset(), message: error.to_string() }])?;
    let mut reader = UsersReader { has_pam, ..UsersReader::default() };
    // Users can name roles that stand below them.
    let mut mistakes: Vec<Mistake> =
        expressions.iter().filter_map(|expression| reader.role(expression).err()).collect();
    if mistakes.is_empty() {
        mistakes.extend(expressions.iter().filter_map(|expression| reader.user(expression).err()));
    }
    if mistakes.is_empty() {
        return Ok(reader.users);
    }
    mistakes.truncate(MAX_MISTAKES);
    Err(mistakes)
}

/// What was read so far.
#[derive(Default)]
struct UsersReader<'a> {
    has_pam: bool,
    roles: HashMap<&'a str, AccessText>,
    names: HashSet<&'a str>,
    by_uid: HashMap<u32, &'a str>,
    users: Users,
}

impl<'a> UsersReader<'a> {
    /// Reads a role; does nothing with another expression.
    fn role(&mut self, expression: &'a Sxp) -> Result<(), Mistake> {
        if expression.head() != Some("role") {
            return Ok(());
        }
        let (name, items) = name(expression, "role")?;
        let wrong = |message: &str| Mistake::new(expression, format!("role {name}: {message}"));
        let mut role = ItemsText::default();
        for item in items {
            role.read(item, "role", &AccessText::KEYS)?;
        }
        if !role.access.domains.is_empty() && role.access.rights.is_empty() {
            return Err(wrong("domains without rights, add (rights see power ..)"));
        }
        if self.roles.insert(name, role.access).is_some() {
            return Err(wrong("there are two of them"));
        }
        if self.roles.len() > MAX_USERS {
            return Err(wrong(&format!("there are more than {MAX_USERS} roles")));
        }
        Ok(())
    }

    /// Reads a user or `anonymous`; does nothing with a role.
    fn user(&mut self, expression: &'a Sxp) -> Result<(), Mistake> {
        match expression.head() {
            Some("role") => Ok(()),
            Some("user") => self.account(expression),
            Some("anonymous") => self.anonymous(expression),
            _ => Err(unknown(expression, "the file", &["user", "role", "anonymous"])),
        }
    }

    fn account(&mut self, expression: &'a Sxp) -> Result<(), Mistake> {
        let (name, items) = name(expression, "user")?;
        let wrong = |message: &str| Mistake::new(expression, format!("user {name}: {message}"));
        if name == Accounts::ANONYMOUS {
            return Err(wrong("the name is reserved, write (anonymous ..) for everybody"));
        }
        let mut user = ItemsText::default();
        for item in items {
            user.read(item, "user", &USER_KEYS)?;
        }
        let access = if user.is_operator {
            if !user.roles.is_empty() || !user.access.is_empty() {
                return Err(wrong("an operator may do everything, leave out all but the password"));
            }
            Access::operator()
        } else {
            user.access.access(&self.roles(&user.roles)?).map_err(wrong)?
        };
        if user.credential == Some(Credential::Pam) && !self.has_pam {
            return Err(wrong("this xend is built without PAM, set a password"));
        }
        if user.credential.is_none() && user.uids.is_empty() {
            return Err(wrong("nobody can log in, add a password, pam or (uid NUMBER)"));
        }
        for uid in &user.uids {
            if let Some(other) = self.by_uid.insert(*uid, name) {
                return Err(wrong(&format!("uid {uid} is given to {other} already")));
            }
        }
        if !self.names.insert(name) {
            return Err(wrong("there are two of them"));
        }
        if self.names.len() > MAX_USERS {
            return Err(wrong(&format!("there are more than {MAX_USERS} users")));
        }
        self.users.accounts.push(Account {
            name: name.to_owned(),
            credential: user.credential.unwrap_or(Credential::None),
            uids: user.uids,
            access,
        });
        Ok(())
    }

    fn anonymous(&mut self, expression: &'a Sxp) -> Result<(), Mistake> {
        let wrong = |message: &str| Mistake::new(expression, format!("anonymous: {message}"));
        let mut items = ItemsText::default();
        for item in expression.tail() {
            items.read(item, "anonymous", &ANONYMOUS_KEYS)?;
        }
        let access = items.access.access(&self.roles(&items.roles)?).map_err(wrong)?;
        if self.users.anonymous.is_some() {
            return Err(wrong("there are two of them"));
        }
        self.users.anonymous = Some(Account::new(Accounts::ANONYMOUS, Credential::None, access));
        Ok(())
    }

    /// The roles with these names.
    fn roles(&self, names: &[&Sxp]) -> Result<Vec<&AccessText>, Mistake> {
        let role = |name: &&Sxp| {
            let known = name.as_str().and_then(|name| self.roles.get(name));
            let missing = || format!("role: there is no role {name}, write (role {name} ..)");
            known.ok_or_else(|| Mistake::new(name, missing()))
        };
        names.iter().map(role).collect()
    }
}

/// The items of a user, a role or `anonymous`.
#[derive(Default)]
struct ItemsText<'a> {
    access: AccessText,
    credential: Option<Credential>,
    uids: Vec<u32>,
    roles: Vec<&'a Sxp>,
    is_operator: bool,
    seen: Vec<&'a str>,
}

impl<'a> ItemsText<'a> {
    /// Reads an item, whose key must be one of `known`.
    fn read(&mut self, item: &'a Sxp, within: &str, known: &[&str]) -> Result<(), Mistake> {
        // `pam` and `operator` stand for themselves.
        let key = item.as_str().filter(|word| WORDS.contains(word)).or(item.head());
        let Some(key) = key.filter(|key| known.contains(key)) else {
            return Err(unknown(item, within, known));
        };
        if item.as_list().is_some() && WORDS.contains(&key) {
            return Err(Mistake::new(item, format!("{key}: write it without parentheses")));
        }
        if self.seen.contains(&key) && key != "grant" {
            return Err(given_twice(item));
        }
        self.seen.push(key);
        match key {
            "password" => self.set_credential(Credential::Hash(password_hash(item)?), item)?,
            "pam" => self.set_credential(Credential::Pam, item)?,
            "operator" => self.is_operator = true,
            "uid" => self.uids = values(item, key, uid)?,
            "role" => {
                values(item, key, |_| Ok::<_, Invalid>(()))?;
                self.roles = item.tail().iter().collect();
            }
            _ => self.access.read(item)?,
        }
        Ok(())
    }

    fn set_credential(&mut self, credential: Credential, item: &Sxp) -> Result<(), Mistake> {
        if self.credential.replace(credential).is_some() {
            return Err(Mistake::new(item, "a password and pam exclude each other, keep one"));
        }
        Ok(())
    }
}

/// The name of a user or a role, and the items after it.
fn name<'a>(expression: &'a Sxp, what: &str) -> Result<(&'a str, &'a [Sxp]), Mistake> {
    let is_name = |name: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
        (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(allowed)
            && !name.starts_with(['-', '+', '.', '@'])
    };
    let parts = expression.tail().split_first();
    let named = parts.and_then(|(name, items)| Some((name.as_str().filter(is_name)?, items)));
    named.ok_or_else(|| {
        let message = format!(
            "{what}: needs a name of up to {MAX_NAME} letters, digits and . _ - @ +, which begins \
             with a letter, a digit or _"
        );
        Mistake::new(expression.tail().first().unwrap_or(expression), message)
    })
}

/// The hash of a password. The errors do not show it.
fn password_hash(item: &Sxp) -> Result<String, Mistake> {
    match item.tail() {
        [hash] => {
            let hash = hash.as_str().unwrap_or_default();
            check_hash(hash).map_err(|error| {
                let message = format!("password: {error}, set it with xend user password NAME");
                Mistake::new(item, message)
            })?;
            Ok(hash.to_owned())
        }
        _ => Err(Mistake::new(item, "password: takes one hash in quotes")),
    }
}

fn uid(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    if number == Some(0) {
        return Err("0 is root, who is an operator without an account".to_owned());
    }
    // The kernel's number for nobody at all.
    let number = number.filter(|uid| *uid != u32::MAX);
    number.ok_or_else(|| format!("{text:?} is not the number of a user of this machine"))
}

#[cfg(test)]
mod tests;
