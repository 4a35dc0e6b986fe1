//! Prefixes that are listed, and followed by watches from then on.

use super::kv::{Kv, KvError, Listing, Revision, Watched};
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use futures_util::stream::{self, BoxStream};

/// What the watches tell, each with its number. Whichever ends, ends with an error.
pub(super) type Watches = BoxStream<'static, (usize, Result<Watched, KvError>)>;

/// Lists all keys below each prefix, each list at a revision of its own.
pub(super) async fn list_all<const N: usize>(
    kv: &dyn Kv,
    prefixes: &[String; N],
) -> Result<[Listing; N], KvError> {
    let listings = try_join_all(prefixes.iter().map(|prefix| kv.list(prefix))).await?;
    let nothing = |_| KvError::Unreachable("not all was listed".to_owned());
    listings.try_into().map_err(nothing)
}

/// Watches what has changed below each prefix since it was listed.
pub(super) async fn watch_all(
    kv: &dyn Kv,
    prefixes: &[String],
    listed: &[Revision],
) -> Result<Watches, KvError> {
    let mut watches = Vec::new();
    for (number, (prefix, Revision(listed))) in prefixes.iter().zip(listed).enumerate() {
        let watch = kv.watch(prefix, Revision(listed + 1)).await?;
        let end = async { Err(KvError::Unreachable("the watch has ended".to_owned())) };
        watches.push(watch.chain(stream::once(end)).map(move |told| (number, told)).boxed());
    }
    Ok(stream::select_all(watches).boxed())
}
