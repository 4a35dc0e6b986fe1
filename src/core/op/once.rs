//! A value that can be taken once.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A value that can be taken only once, in an operation that can be cloned all the same.
pub struct Once<T>(Arc<Mutex<Option<T>>>);

impl<T> Once<T> {
    /// Holds `value` for the first taker.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(Some(value))))
    }

    /// Takes the value; `None` if it was taken before.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for Once<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}
