//! The pictures of README.md and of the pages in `docs/`.

use std::path::Path;

/// The largest picture, in bytes.
const MAX_PICTURE: u64 = 120_000;

/// `tests/browser/run --docs` takes the pictures.
#[test]
fn pictures_exist_and_are_small_and_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let (pages, files): (Vec<_>, Vec<_>) =
        docs.partition(|path| path.extension().is_some_and(|end| end == "md"));
    let mut named = std::collections::BTreeSet::new();
    for page in pages.into_iter().chain([root.join("README.md")]) {
        let text = std::fs::read_to_string(&page).unwrap();
        for image in text.split("![").skip(1) {
            let (about, rest) = image.split_once("](").unwrap();
            let path = page.with_file_name(rest.split(')').next().unwrap());
            let size = path
                .metadata()
                .unwrap_or_else(|error| panic!("{}: {}: {error}", page.display(), path.display()));
            assert!(about.len() > 20, "{}: {about} does not describe a picture", page.display());
            assert!(size.len() < MAX_PICTURE, "{} has {} bytes", path.display(), size.len());
            named.insert(path);
        }
    }
    assert!(named.len() > 5, "{named:?}");
    let is_picture = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|end| ["png", "webp"].iter().any(|kind| end == *kind))
    };
    let unused: Vec<_> =
        files.into_iter().filter(|path| is_picture(path) && !named.contains(path)).collect();
    assert!(unused.is_empty(), "No page shows {unused:?}");
}
