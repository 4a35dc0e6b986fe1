//! Lists of any length, in pages of few bytes.

use super::error::is_too_large;
use crate::fleet::kv::{Entry, Listing, Revision};
use etcd_client::{Error, GetOptions, KeyValue, KvClient, ResponseHeader};

/// The keys of the first page, before it is known how large they are.
const FIRST_PAGE: i64 = 200;

/// The most keys of a page.
const LARGEST_PAGE: i64 = 10_000;

/// The bytes of keys and values that a page is meant to have: half of what the client reads.
const PAGE_BYTES: usize = 2 << 20;

/// The most bytes of a listing. 100,000 domains have 35 MB.
const MOST_BYTES: usize = 256 << 20;

/// All keys below a prefix, at the revision of the first page.
pub(super) async fn list(mut kv: KvClient, prefix: &str) -> Result<Listing, Error> {
    let end = end_of(prefix.as_bytes());
    let mut begin = prefix.as_bytes().to_vec();
    let mut entries = Vec::new();
    let mut revision = None;
    let mut bytes = 0;
    let mut limit = FIRST_PAGE;
    loop {
        let options = GetOptions::new().with_range(end.clone()).with_limit(limit);
        let options = options.with_revision(revision.unwrap_or(0));
        let mut page = match kv.get(begin.clone(), Some(options)).await {
            Ok(page) => page,
            Err(error) if is_too_large(&error) && limit > 1 => {
                limit /= 2;
                continue;
            }
            Err(error) => return Err(error),
        };
        let at = *revision.get_or_insert_with(|| page.header().map_or(0, ResponseHeader::revision));
        let has_more = page.more();
        let keys = page.take_kvs();
        let page_bytes: usize = keys.iter().map(|kv| kv.key().len() + kv.value().len()).sum();
        bytes += page_bytes;
        if bytes > MOST_BYTES {
            let most = MOST_BYTES >> 20;
            return Err(Error::InvalidArgs(format!("more than {most} MiB are below {prefix}")));
        }
        let Some(last) = keys.last().filter(|_| has_more) else {
            entries.extend(keys.into_iter().map(entry));
            return Ok(Listing { entries, revision: Revision(at) });
        };
        begin = last.key().to_vec();
        begin.push(0);
        limit = next_limit(keys.len(), page_bytes);
        entries.extend(keys.into_iter().map(entry));
    }
}

/// As many keys as have [`PAGE_BYTES`], if they are like those of the page before.
fn next_limit(keys: usize, bytes: usize) -> i64 {
    let limit = PAGE_BYTES.saturating_mul(keys) / bytes.max(1);
    i64::try_from(limit).unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE)
}

/// The first key after all keys with a prefix.
fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // What etcd takes for the end of all keys.
    vec![0]
}

pub(super) fn entry(kv: KeyValue) -> Entry {
    let modified = Revision(kv.mod_revision());
    let (key, value) = kv.into_key_value();
    // No key of a fleet is anything but ASCII.
    Entry { key: String::from_utf8_lossy(&key).into_owned(), value, modified }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_after_its_prefix() {
        assert_eq!(end_of(b"/a/"), b"/a0");
        assert_eq!(end_of(b"a\xff"), b"b");
        assert_eq!(end_of(b"\xff"), [0]);
        assert_eq!(end_of(b""), [0]);
    }

    #[test]
    fn a_page_has_few_bytes() {
        assert_eq!(next_limit(200, 200 * 300), 6990);
        assert_eq!(next_limit(200, 200), 10_000);
        assert_eq!(next_limit(4, 4 * (512 << 10)), 4);
        assert_eq!(next_limit(1, 3 << 20), 1);
        assert_eq!(next_limit(0, 0), 1);
    }
}
