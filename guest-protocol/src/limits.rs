//! How large the parts of the protocol may be. Lengths are bytes.

/// The largest payload of one XenStore message, path and value together.
pub const MAX_PAYLOAD: usize = 4096;

/// The largest value that a guest can write: xenstored's quota for a node of a guest is 2048 bytes.
pub const MAX_GUEST_VALUE: usize = 2015;

/// The longest message of a response. With its frame a response stays below [`MAX_GUEST_VALUE`].
pub const MAX_MESSAGE: usize = 1900;

/// The longest return code of a response.
pub const MAX_RETURNCODE: usize = 32;

/// How many responses `data/guest` can hold: xenstored refuses the next one, because the names of
/// a node's children count toward the guest's quota.
pub const MAX_STORED_RESPONSES: usize = 54;

/// How many responses an agent leaves in `data/guest`. Hosts do not remove what they have read.
pub const KEPT_RESPONSES: usize = 32;

/// After how many seconds an agent removes its own responses.
pub const RESPONSE_SECONDS: u64 = 10 * 60;

/// How long a key exchange is valid, in seconds.
pub const KEY_SECONDS: u64 = 60;

/// How deep JSON may be nested.
pub const MAX_DEPTH: usize = 32;

/// The largest `path,contents` of `injectfile` before base64, for a domain with one digit. The
/// plug-in of OpenStack writes a request with blanks, so [`max_host_value`] leaves a little more.
pub const MAX_INJECTFILE: usize = 2997;

/// The largest `b64_path` and `b64_file` of `file_inject` together, in characters of base64, for a
/// domain with one digit.
pub const MAX_FILE_INJECT: usize = 3967;

/// The largest value that a host can write to a node, whose absolute path shares a message with it.
pub const fn max_host_value(path: &str) -> usize {
    // A NUL stands between path and value.
    MAX_PAYLOAD.saturating_sub(path.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_with_one_digit_leaves_4033_bytes_for_a_request() {
        let path = "/local/domain/7/data/host/01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(max_host_value(path), 4033);
        assert_eq!(max_host_value(&"a".repeat(5000)), 0);
    }
}
