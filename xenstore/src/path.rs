//! Paths of nodes: which are possible.

/// The longest absolute path, in bytes.
pub const MAX_ABSOLUTE_PATH: usize = 3072;

/// The longest relative path, in bytes.
pub const MAX_RELATIVE_PATH: usize = 2048;

/// Why a path is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path has no characters.
    #[error("The path is empty")]
    Empty,
    /// The path is longer than 3072 bytes, or 2048 if it is relative.
    #[error("The path is too long: at most 3072 bytes are possible, 2048 in a relative path")]
    TooLong,
    /// A character is not one of those that XenStore takes.
    #[error("The path has characters besides A-Z, a-z, 0-9, '-', '/', '_' and '@'")]
    Character,
    /// The path has an empty name, or ends in a slash.
    #[error("The path has two slashes in a row or one at its end")]
    Slash,
    /// The path begins with `@`: only watches and permissions take such names.
    #[error("The path begins with '@'")]
    Special,
}

/// Checks the path of a node.
pub fn check_path(path: &str) -> Result<(), PathError> {
    if path.starts_with('@') {
        return Err(PathError::Special);
    }
    check_watch_path(path)
}

/// Checks the path of a watch, which may also be a special one such as `@releaseDomain`.
pub fn check_watch_path(path: &str) -> Result<(), PathError> {
    let longest = if path.starts_with('/') { MAX_ABSOLUTE_PATH } else { MAX_RELATIVE_PATH };
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.len() > longest {
        return Err(PathError::TooLong);
    }
    let possible = |byte: u8| byte.is_ascii_alphanumeric() || b"-/_@".contains(&byte);
    if !path.bytes().all(possible) {
        return Err(PathError::Character);
    }
    if path.contains("//") || (path.ends_with('/') && path != "/") {
        return Err(PathError::Slash);
    }
    Ok(())
}
