//! A file of users and hashed passwords, for hosts without PAM.
//!
//! A line is `user:hash`, as `xend password USER` prints it; `#` begins a comment. The file is read
//! at each login, and must be accessible to its owner only.

use crate::core::ports::{Authenticator, LoginError};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use async_trait::async_trait;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The largest password file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A file of users and hashed passwords.
#[derive(Debug, Clone)]
pub struct PasswordFile(PathBuf);

impl PasswordFile {
    /// The file does not have to exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

/// A line for the password file: argon2id with a random salt.
pub fn hashed(user: &str, password: &str) -> Result<String, String> {
    let allowed = |c: char| !c.is_control() && !":#".contains(c) && !c.is_whitespace();
    if user.is_empty() || !user.chars().all(allowed) {
        return Err("A user name must not be empty or contain ':', '#' or blanks".to_owned());
    }
    if password.is_empty() {
        return Err("The password is empty".to_owned());
    }
    let hash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(format!("{user}:{hash}"))
}

/// Dummy hash, so that unknown users take as long as known ones.
fn dummy_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        Argon2::default().hash_password(b"nobody").map(|hash| hash.to_string()).unwrap_or_default()
    })
}

fn read(path: &Path) -> io::Result<String> {
    let file = std::fs::File::open(path)?;
    let mode = file.metadata()?.mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::other("the file is accessible to other users: run chmod 600"));
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn check(path: &Path, user: &str, password: &str) -> Result<(), LoginError> {
    let shown = path.display();
    let text = read(path).map_err(|error| LoginError::Broken(format!("{shown}: {error}")))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let known = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| *name == user);
    let hash: &str = if let Some((_, hash)) = known { hash } else { dummy_hash() };
    let hash = PasswordHash::new(hash).map_err(|error| {
        LoginError::Broken(format!("{shown}: invalid hash of {user:?}: {error}"))
    })?;
    let matches = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    if matches && known.is_some() {
        return Ok(());
    }
    let reason = if known.is_some() { "wrong password" } else { "no such user" };
    Err(LoginError::Refused(format!("{shown}: {reason}")))
}

#[async_trait]
impl Authenticator for PasswordFile {
    async fn check(&self, user: &str, password: &str) -> Result<(), LoginError> {
        let path = self.0.clone();
        let user = user.to_owned();
        let password = password.to_owned();
        let checked = tokio::task::spawn_blocking(move || check(&path, &user, &password)).await;
        checked.unwrap_or_else(|error| {
            Err(LoginError::Broken(format!("The password check was aborted: {error}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn users_of_the_file_log_in_with_their_passwords() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwords");
        assert!(matches!(check(&path, "root", "x"), Err(LoginError::Broken(_))));
        let line = hashed("admin", "ge:heim").unwrap();
        assert!(line.starts_with("admin:$argon2id$") && !line.contains("ge:heim"));
        fs::write(&path, format!("# ours\n{line}\nbroken:x\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let open = check(&path, "admin", "ge:heim").unwrap_err().to_string();
        assert!(open.contains("chmod 600"), "{open}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        check(&path, "admin", "ge:heim").unwrap();
        for (user, password) in
            [("admin", "geheim"), ("admin", ""), ("nobody", "nobody"), ("", ""), ("# ours", "")]
        {
            assert!(matches!(check(&path, user, password), Err(LoginError::Refused(_))), "{user}");
        }
        assert!(matches!(check(&path, "broken", "x"), Err(LoginError::Broken(_))));
        for user in ["", "a b", "a:b", "#a"] {
            assert!(hashed(user, "x").is_err(), "{user:?}");
        }
        assert!(hashed("a", "").is_err());
    }
}
