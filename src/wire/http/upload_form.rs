//! A form with a file that is read as it arrives: `multipart/form-data` (RFC 7578), as browsers
//! send it.

use super::multipart;
use bstr::ByteSlice as _;
use bytes::Bytes;

/// The longest headers of a field, in bytes.
const MAX_HEADERS: usize = 8 << 10;
/// The longest value of a field that is no file, in bytes.
const MAX_VALUE: usize = 4 << 10;

/// What was read of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormPiece {
    /// A field that is no file.
    Field { name: String, value: Vec<u8> },
    /// The next part of the file.
    File(Bytes),
}

/// A form that is arriving. Fields before the file are known when it begins.
pub(super) struct UploadForm {
    /// The line end and the boundary before each field, and after the last one.
    delimiter: Vec<u8>,
    /// What has arrived and is not read yet.
    unread: Vec<u8>,
    place: Place,
    has_file: bool,
}

/// What comes next.
enum Place {
    /// The text before the first boundary, which is for people.
    Preamble,
    /// The rest of a line with a boundary.
    Boundary,
    Headers,
    Value {
        name: String,
        value: Vec<u8>,
    },
    File,
    /// The text after the last boundary.
    End,
}

impl UploadForm {
    /// A form of this `Content-Type`.
    pub(super) fn new(content_type: &str) -> Result<Self, &'static str> {
        let boundary = multipart::boundary(content_type)?;
        Ok(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first boundary has no line before it.
            unread: b"\r\n".to_vec(),
            place: Place::Preamble,
            has_file: false,
        })
    }

    /// Whether the last boundary has arrived.
    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.place, Place::End)
    }

    /// Reads what has arrived.
    pub(super) fn read(&mut self, data: &[u8]) -> Result<Vec<FormPiece>, &'static str> {
        self.unread.extend_from_slice(data);
        let mut pieces = Vec::new();
        while self.step(&mut pieces)? {}
        Ok(pieces)
    }

    /// Reads on to the next place; `false` if more has to arrive first.
    fn step(&mut self, pieces: &mut Vec<FormPiece>) -> Result<bool, &'static str> {
        match &mut self.place {
            Place::End => {
                self.unread.clear();
                return Ok(false);
            }
            Place::Boundary => {
                let Some(after) = self.unread.get(..2) else { return Ok(false) };
                self.place = match after {
                    b"--" => Place::End,
                    b"\r\n" => Place::Headers,
                    _ => return Err("a boundary is not on a line of its own"),
                };
                self.unread.drain(..2);
                return Ok(true);
            }
            Place::Headers => {
                let Some(end) = self.unread.find(b"\r\n\r\n") else {
                    let is_too_long = self.unread.len() > MAX_HEADERS;
                    return if is_too_long { Err("a field has long headers") } else { Ok(false) };
                };
                let (name, is_file) = multipart::name_of(&self.unread[..end]);
                self.unread.drain(..end + 4);
                self.place = match (name, is_file) {
                    (_, true) if self.has_file => return Err("it has several files"),
                    (_, true) => Place::File,
                    (name, false) => {
                        Place::Value { name: name.unwrap_or_default(), value: Vec::new() }
                    }
                };
                self.has_file |= is_file;
                return Ok(true);
            }
            Place::Preamble | Place::Value { .. } | Place::File => {}
        }
        let found = self.unread.find(&self.delimiter);
        // What may be the beginning of a delimiter stays.
        let end = found.unwrap_or(self.unread.len().saturating_sub(self.delimiter.len() - 1));
        let text: Vec<u8> = self.unread.drain(..end).collect();
        match &mut self.place {
            Place::Value { value, .. } if value.len() + text.len() > MAX_VALUE => {
                return Err("a field is too long");
            }
            Place::Value { value, .. } => value.extend_from_slice(&text),
            Place::File if !text.is_empty() => pieces.push(FormPiece::File(text.into())),
            _ => {}
        }
        if found.is_none() {
            return Ok(false);
        }
        self.unread.drain(..self.delimiter.len());
        if let Place::Value { name, value } = std::mem::replace(&mut self.place, Place::Boundary) {
            pieces.push(FormPiece::Field { name, value });
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=XX";

    fn form(file: &[u8]) -> Vec<u8> {
        let head = b"--XX\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nroot\r\n--XX\r\n\
                     Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\
                     Content-Type: application/octet-stream\r\n\r\n";
        [&head[..], file, b"\r\n--XX--\r\n"].concat()
    }

    /// The fields of a form, its file, and whether it has ended.
    type Read = (Vec<(String, Vec<u8>)>, Vec<u8>, bool);

    /// Reads a form that arrives in pieces of this size.
    fn read(form: &[u8], size: usize) -> Result<Read, &'static str> {
        let mut reader = UploadForm::new(TYPE)?;
        let mut fields = Vec::new();
        let mut file = Vec::new();
        for piece in form.chunks(size) {
            for piece in reader.read(piece)? {
                match piece {
                    FormPiece::Field { name, value } => fields.push((name, value)),
                    FormPiece::File(data) => file.extend_from_slice(&data),
                }
            }
            assert!(
                reader.unread.len() <= size.saturating_add(MAX_HEADERS),
                "{}",
                reader.unread.len()
            );
        }
        Ok((fields, file, reader.is_complete()))
    }

    #[test]
    fn a_file_is_read_in_pieces_of_any_size() {
        // It has what looks like boundaries, and is not.
        let file = [&b"\r\n--X\r\n--\r\n\r\n\0\xff--XX--\r"[..], &vec![7; 100_000]].concat();
        for size in [1, 2, 3, 7, 1000, usize::MAX] {
            let (fields, read, is_complete) = read(&form(&file), size).unwrap();
            assert_eq!(fields, [("name".to_owned(), b"root".to_vec())]);
            assert!(read == file && is_complete, "{size}");
        }
    }

    #[test]
    fn a_form_that_breaks_off_is_not_complete() {
        let whole = form(b"data");
        for length in 0..whole.len() - 4 {
            assert!(!read(&whole[..length], 5).unwrap().2, "{length}");
        }
    }

    #[test]
    fn broken_forms_are_refused() {
        let field = |more: &str| format!("--XX\r\nContent-Disposition: form-data; {more}");
        let long = "x".repeat(MAX_HEADERS + 1);
        for (form, reason) in [
            ("--XXY\r\n".to_owned(), "a boundary is not on a line of its own"),
            (field(&long), "a field has long headers"),
            (field(&format!("name=a\r\n\r\n{}", "x".repeat(9000))), "a field is too long"),
            (
                field("name=a; filename=a\r\n\r\nx\r\n") + &field("name=b; filename=b\r\n\r\n"),
                "it has several files",
            ),
        ] {
            assert_eq!(read(form.as_bytes(), 10).unwrap_err(), reason);
        }
        assert!(UploadForm::new("multipart/form-data").is_err());
    }
}
