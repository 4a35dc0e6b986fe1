//! Work that waits for the disk, outside of the runtime's own threads.

use crate::core::error::Error;
use std::io;
use std::path::Path;
use tokio::task::spawn_blocking;

/// Runs blocking work.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::backend("The store has been stopped", error)))
}

/// Runs blocking work that writes in the directory `place`. The caller sees a failure as `message`.
pub(super) async fn blocking_write<T: Send + 'static>(
    message: &'static str,
    place: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let place = place.to_owned();
    blocking(move || work().map_err(|error| Error::not_written(message, &place, error))).await
}

/// Runs blocking work whose failures the caller sees as `message`.
pub(super) async fn blocking_io<T: Send + 'static>(
    message: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    blocking(move || work().map_err(|error| Error::backend(message, error))).await
}
