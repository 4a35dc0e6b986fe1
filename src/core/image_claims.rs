//! Disk images that an operation has to itself.

use super::error::Error;
use super::model::Uuid;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The images on which an operation is under way that takes long: it does not hold the lock of the
/// inventory, so that no other image waits for it.
#[derive(Debug, Clone, Default)]
pub(super) struct ImageClaims(Arc<Mutex<HashSet<Uuid>>>);

/// An image, until it is dropped.
#[derive(Debug)]
pub(super) struct ImageClaim {
    claims: ImageClaims,
    uuid: Uuid,
}

impl ImageClaims {
    /// Claims an image, which need not exist. Fails while another operation has it.
    pub(super) fn claim(&self, uuid: Uuid) -> Result<ImageClaim, Error> {
        if self.lock().insert(uuid) {
            return Ok(ImageClaim { claims: self.clone(), uuid });
        }
        Err(Error::InUse { what: "VDI", by: "another operation on it, try again".to_owned() })
    }

    /// Whether an operation has the image.
    pub(super) fn has(&self, uuid: &Uuid) -> bool {
        self.lock().contains(uuid)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ImageClaim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.uuid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_claimed_once_at_a_time() {
        let claims = ImageClaims::default();
        let one = Uuid::from_u128(1);
        let two = Uuid::from_u128(2);
        let first = claims.claim(one).unwrap();
        assert!(claims.claim(one).is_err() && claims.claim(two).is_ok());
        assert!(claims.has(&one) && !claims.has(&two));
        drop(first);
        assert!(claims.claim(one).is_ok());
    }
}
