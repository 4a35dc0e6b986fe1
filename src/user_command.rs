//! `xend user`: works on the accounts of the users file.

use crate::auth::{self, UserChange, UsersFile, UsersFileError};
use crate::cli::{AccountOptions, UserCommand};
use crate::config::{DefaultPaths, Environment};
use crate::core::rights::{Access, Account, Credential, Grant, Right};
use crate::parent_dir;
use std::io;
use std::path::{Path, PathBuf};
use xend_password_prompt::read_new_password;

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum UserCommandError {
    /// Because of the users file: lines that begin with its path.
    #[error(transparent)]
    File(#[from] UsersFileError),
    /// For another reason.
    #[error("{0}")]
    Other(String),
}

impl From<io::Error> for UserCommandError {
    fn from(error: io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// Carries out a command, and tells what it prints. `file` is the default file if it is `None`.
pub fn run(
    file: Option<&Path>,
    command: &UserCommand,
    environment: &Environment,
) -> Result<String, UserCommandError> {
    let path = path(file, environment)?;
    match command {
        UserCommand::Add { name, no_password, account } => {
            if file.is_none() && !environment.root {
                // The directories of a user's own settings, as XDG wants them.
                parent_dir::make_all(&path, 0o700)?;
            }
            let mut changes = changes(account);
            if !no_password && !account.pam {
                changes.insert(0, new_password()?);
            }
            auth::add_user(&path, name, &changes)?;
        }
        UserCommand::Set { name, account } => {
            let changes = changes(account);
            if changes.is_empty() {
                let message = "Nothing to change: give an option, see xend user set --help";
                return Err(UserCommandError::Other(message.to_owned()));
            }
            auth::set_user(&path, name, &changes)?;
        }
        UserCommand::Password { name } => {
            // A file that cannot be changed is no reason to ask for a password.
            UsersFile::new(&path).existing_accounts()?;
            auth::set_user(&path, name, &[new_password()?])?;
        }
        UserCommand::Del { name } => auth::remove_user(&path, name)?,
        UserCommand::List => return Ok(table(&UsersFile::new(path).existing_accounts()?)),
        UserCommand::Check => {
            UsersFile::new(path).existing_accounts()?;
        }
    }
    Ok(String::new())
}

fn path(file: Option<&Path>, environment: &Environment) -> Result<PathBuf, UserCommandError> {
    let default = || DefaultPaths::of(environment).map(|paths| paths.users);
    file.map(Path::to_owned).or_else(default).ok_or_else(|| {
        UserCommandError::Other("No home directory: set HOME or give --file".to_owned())
    })
}

fn new_password() -> Result<UserChange, UserCommandError> {
    let password = read_new_password()?;
    auth::hash(&password).map(UserChange::Password).map_err(UserCommandError::Other)
}

fn changes(account: &AccountOptions) -> Vec<UserChange> {
    let AccountOptions {
        domains,
        rights,
        role,
        uid,
        pam,
        operator,
        max_domains,
        max_memory,
        max_vcpus,
        disks,
        bridges,
        kernels,
        files,
        hosts,
    } = account;
    let mut changes = Vec::new();
    if *pam {
        changes.push(UserChange::Pam);
    }
    changes.extend(operator.map(UserChange::Operator));
    let not_empty = |values: &[String]| -> Vec<String> {
        values.iter().filter(|value| !value.is_empty()).cloned().collect()
    };
    for (key, values) in [("uid", uid), ("role", role), ("domains", domains), ("rights", rights)] {
        changes.extend(values.as_ref().map(|values| UserChange::Item(key, not_empty(values))));
    }
    for (key, number) in [("domains", max_domains), ("memory", max_memory), ("vcpus", max_vcpus)] {
        let number = number.as_ref().map(std::slice::from_ref);
        changes.extend(number.map(|number| UserChange::Limit(key, not_empty(number))));
    }
    for (key, places) in [
        ("disks", disks),
        ("bridges", bridges),
        ("kernels", kernels),
        ("files", files),
        ("hosts", hosts),
    ] {
        changes.extend(places.as_ref().map(|places| UserChange::Limit(key, not_empty(places))));
    }
    changes
}

/// Accounts as lines of columns: the name, how the user logs in, what the user may do.
fn table(accounts: &[Account]) -> String {
    let rows: Vec<[String; 3]> = accounts
        .iter()
        .map(|account| [account.name.clone(), login(account), access(&account.access)])
        .collect();
    let width = |column: fn(&[String; 3]) -> &String| {
        rows.iter().map(|row| column(row).len()).max().unwrap_or(0)
    };
    let names = width(|[name, ..]| name);
    let logins = width(|[_, login, _]| login);
    let line =
        |[name, login, access]: &[String; 3]| format!("{name:names$}  {login:logins$}  {access}\n");
    rows.iter().map(line).collect()
}

/// `password, uid 1000`
fn login(account: &Account) -> String {
    let credential = match &account.credential {
        Credential::Hash(_) => Some("password".to_owned()),
        Credential::Pam => Some("pam".to_owned()),
        Credential::None => None,
    };
    let uids = account.uids.iter().map(|uid| format!("uid {uid}"));
    let all: Vec<String> = credential.into_iter().chain(uids).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

/// `lj,web*: see,power; db: see; at most 4 domains, 4096 MiB`
fn access(access: &Access) -> String {
    if access.operator {
        return "operator".to_owned();
    }
    let mut parts: Vec<String> = access.grants.iter().map(grant).collect();
    let limits = &access.limits;
    let most: Vec<String> = [
        limits.domains.map(|most| format!("{most} domains")),
        limits.memory_mib.map(|most| format!("{most} MiB")),
        limits.vcpus.map(|most| format!("{most} VCPUs")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !most.is_empty() {
        parts.push(format!("at most {}", most.join(", ")));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

fn grant(grant: &Grant) -> String {
    let shown = |domain: &dyn ToString| domain.to_string().escape_debug().to_string();
    let domains: Vec<String> = grant.domains.iter().map(|domain| shown(domain)).collect();
    let rights: Vec<&str> = grant.rights.iter().map(Right::name).collect();
    let domains = if domains.is_empty() { "host".to_owned() } else { domains.join(",") };
    format!("{domains}: {}", rights.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_directories_of_a_users_own_accounts_are_private() {
        let home = tempfile::tempdir().unwrap();
        let environment =
            Environment { home: Some(home.path().to_owned()), ..Environment::default() };
        let account =
            AccountOptions { uid: Some(vec!["1".to_owned()]), ..AccountOptions::default() };
        let add = UserCommand::Add { name: "a".to_owned(), no_password: true, account };
        run(None, &add, &environment).unwrap();
        assert!(home.path().join(".config/xend/users.sxp").is_file());
        for dir in [".config", ".config/xend"] {
            let mode = home.path().join(dir).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{dir}");
        }
    }
}
