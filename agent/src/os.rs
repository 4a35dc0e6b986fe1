//! The machine's clock and randomness.

use rustix::rand::{GetRandomFlags, getrandom};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; 0 if the clock is before it.
#[expect(clippy::disallowed_methods, reason = "the only place that asks for the time of day")]
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Random bytes of the kernel.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += getrandom(rest, GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random::<32>().unwrap(), random::<32>().unwrap());
        assert!(unix_time() > 1_700_000_000);
    }
}
