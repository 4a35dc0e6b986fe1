//! Room in the local storage for disk images that are being written.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::reservations::Reservation;

/// What images leave free in the storage, in bytes: the daemon's own files can be on the same file
/// system.
const RESERVE: u64 = 256 << 20;

impl Core {
    /// Reserves room for `bytes` that are going to be written to an image. What is written is to be
    /// [taken](Reservation::take) from it.
    pub(super) async fn reserve_room(&self, bytes: u64) -> Result<Reservation, Error> {
        // First, so that what others write meanwhile counts twice rather than never.
        let (room, wanted) = self.storage_reservations.reserve(bytes);
        let free = self.storage_question("Reading the storage", self.store.storage()).await?.free;
        if fits(bytes, wanted, free) {
            return Ok(room);
        }
        let others = match wanted - bytes {
            0 => String::new(),
            others => format!(", {others} are for images that are being written"),
        };
        Err(Error::LimitReached(format!(
            "The image has {bytes} bytes and the local storage {free} free ones{others}, and \
             {RESERVE} stay free: remove other images, or change xend-storage-path"
        )))
    }
}

/// Whether an image of `bytes` has room in a storage with `free` bytes, of which all images that
/// are being written, this one included, want `wanted`. The copy of a sparse image may need none.
const fn fits(bytes: u64, wanted: u64, free: u64) -> bool {
    bytes == 0 || free.saturating_sub(RESERVE) >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_leaves_a_reserve_unless_it_needs_nothing() {
        for (bytes, wanted, free, expected) in [
            (1, 1, RESERVE, false),
            (1, 1, RESERVE + 1, true),
            (1, 3, RESERVE + 2, false),
            (u64::MAX, u64::MAX, u64::MAX, false),
            (0, 0, 0, true),
            (0, 5, RESERVE, true),
        ] {
            assert_eq!(fits(bytes, wanted, free), expected, "{bytes} {wanted} {free}");
        }
    }
}
