//! A file of users and hashed passwords, for hosts without PAM.
//!
//! A line is `user:hash`, as `xend password USER` prints it; `#` begins a comment. The file is read
//! at each login, and must be accessible to its owner only. Its users may do everything; accounts
//! limited to domains are in the users file.

use super::hash::{DUMMY_HASH, HASHER, check_hash, hash};
use crate::core::caller::Via;
use crate::core::ports::{Authenticator, LoginError, fits_a_login};
use crate::host_file;
use async_trait::async_trait;
use rustix::fs::OFlags;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// The largest password file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A file of users and hashed passwords.
#[derive(Debug, Clone)]
pub struct PasswordFile {
    path: PathBuf,
    /// For the choice of users that names without a hash take as long as.
    decoys: RandomState,
}

impl PasswordFile {
    /// The file does not have to exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), decoys: RandomState::new() }
    }

    /// Fails with the reason, which begins with the path, if nobody can log in. Blocks.
    pub fn check_file(&self) -> Result<(), String> {
        let path = self.path.display();
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{path}: {error}")),
        };
        let is_user = |line: &str| !line.starts_with('#') && line.contains(':');
        if text.lines().any(|line| is_user(line.trim())) {
            return Ok(());
        }
        Err(format!("{path}: there are no users, xend password USER prints a line for one"))
    }
}

/// A line for the password file: argon2id with a random salt.
pub fn hashed(user: &str, password: &str) -> Result<String, String> {
    let allowed = |c: char| !c.is_control() && !":#".contains(c) && !c.is_whitespace();
    if user.is_empty() || !user.chars().all(allowed) {
        return Err("A user name must not be empty or contain ':', '#' or blanks".to_owned());
    }
    if !fits_a_login(user, password) {
        return Err("The user name or the password is too long".to_owned());
    }
    Ok(format!("{user}:{}", hash(password)?))
}

fn read(path: &Path) -> io::Result<String> {
    let file = host_file::open(path, OFlags::empty())?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other("the file is accessible to other users: run chmod 600"));
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// The hash of a user, and whether it is the user's own: a name that the file does not have takes
/// as long as some user.
fn hash_of(path: &Path, user: &str, decoys: &RandomState) -> Result<(String, bool), LoginError> {
    let broken = |reason| LoginError::Broken(format!("{}: {reason}", path.display()));
    let text = read(path).map_err(|error| broken(error.to_string()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let users = lines.filter_map(|line| line.split_once(':'));
    if let Some((_, hash)) = users.clone().find(|(name, _)| *name == user) {
        check_hash(hash).map_err(|error| broken(format!("invalid hash of {user:?}: {error}")))?;
        return Ok((hash.to_owned(), true));
    }
    let decoy = users.min_by_key(|(name, _)| decoys.hash_one((user, name)));
    let decoy = decoy.map(|(_, hash)| hash).filter(|hash| check_hash(hash).is_ok());
    Ok((decoy.unwrap_or(DUMMY_HASH).to_owned(), false))
}

#[async_trait]
impl Authenticator for PasswordFile {
    async fn check(&self, user: &str, password: &str, _: &Via) -> Result<(), LoginError> {
        let file = self.clone();
        let name = user.to_owned();
        let read = spawn_blocking(move || hash_of(&file.path, &name, &file.decoys)).await;
        let (hash, is_own) = read.map_err(|error| LoginError::Broken(error.to_string()))??;
        let matches = HASHER.matches(password, &hash).await?;
        if matches && is_own {
            return Ok(());
        }
        let reason = if is_own { "wrong password" } else { "no such user" };
        Err(LoginError::Refused(format!("{}: {reason}", self.path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::hash::cheap_hash;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn users_of_the_file_log_in_with_their_passwords() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwords");
        let file = PasswordFile::new(&path);
        let via = Via::Unix { uid: None, pid: None };
        assert!(matches!(file.check("root", "x", &via).await, Err(LoginError::Broken(_))));
        let line = hashed("admin", "ge:heim").unwrap();
        assert!(line.starts_with("admin:$argon2id$") && !line.contains("ge:heim"));
        fs::write(&path, format!("# ours\n{line}\nbroken:x\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let open = file.check("admin", "ge:heim", &via).await.unwrap_err().to_string();
        assert!(open.contains("chmod 600"), "{open}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        file.check("admin", "ge:heim", &via).await.unwrap();
        for (user, password) in
            [("admin", "geheim"), ("admin", ""), ("nobody", "nobody"), ("", ""), ("# ours", "")]
        {
            let result = file.check(user, password, &via).await;
            assert!(matches!(result, Err(LoginError::Refused(_))), "{user}");
        }
        assert!(matches!(file.check("broken", "x", &via).await, Err(LoginError::Broken(_))));
        for user in ["", "a b", "a:b", "#a"] {
            assert!(hashed(user, "x").is_err(), "{user:?}");
        }
        assert!(hashed("a", "").is_err());
        assert!(hashed("a", &"x".repeat(1025)).is_err());
    }

    #[test]
    fn names_that_the_file_does_not_have_take_as_long_as_its_users() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwords");
        let hashes = ["a", "b"].map(cheap_hash);
        fs::write(&path, format!("steve:{}\nann:{}\n", hashes[0], hashes[1])).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let decoys = RandomState::new();
        let found = |user: &str| hash_of(&path, user, &decoys).unwrap();
        assert_eq!(found("ann"), (hashes[1].clone(), true));
        for hash in &hashes {
            let decoy = (hash.clone(), false);
            assert!((0..100).any(|n| found(&format!("name{n}")) == decoy));
        }
        assert_eq!(found("nobody"), found("nobody"));
        fs::write(&path, "# nobody yet\n").unwrap();
        assert_eq!(found("nobody"), (DUMMY_HASH.to_owned(), false));
    }
}
