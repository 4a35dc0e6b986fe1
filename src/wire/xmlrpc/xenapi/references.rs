//! References, which are UUIDs as text.

use super::failure::Failure;
use crate::core::model::Uuid;

/// The object of a class that a reference names. `find` looks it up.
pub(crate) fn find_object<T>(
    class: &str,
    reference: &str,
    find: impl FnOnce(Uuid) -> Result<T, Failure>,
) -> Result<Uuid, Failure> {
    let invalid = || Failure::no_object(class, reference);
    let uuid = Uuid::try_parse(reference).map_err(|_| invalid())?;
    match find(uuid) {
        Ok(_) => Ok(uuid),
        // With the reference as it was sent.
        Err(failure) if failure.is_no_object() => Err(invalid()),
        Err(failure) => Err(failure),
    }
}
