//! Answers with figures that change all the time.

use serde::Serialize;

/// What has figures that change all the time.
pub(crate) trait WithFigures: Serialize {
    /// Blanks the figures, for a tag that does not depend on them.
    fn blank_figures(&mut self);
}
