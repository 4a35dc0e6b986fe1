//! Reads a file into elements.

use crate::element::Element;
use crate::error::Fault;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// The longest file, in bytes.
const MAX_FILE: usize = 1 << 20;

/// Levels of elements.
const MAX_DEPTH: usize = 32;

/// The most elements.
const MAX_ELEMENTS: usize = 50_000;

/// The most attributes of an element.
const MAX_ATTRIBUTES: usize = 64;

/// Reads the only element of a file.
pub(crate) fn read(text: &[u8]) -> Result<Element, Fault> {
    if text.len() > MAX_FILE {
        return Err(Fault::new(0, format!("the file is longer than {MAX_FILE} bytes")));
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| Fault::new(offset(error.valid_up_to() as u64), "the file is not UTF-8"))?;
    let mut document =
        Document { reader: Reader::from_str(text), at: 0, open: Vec::new(), count: 0 };
    loop {
        if let Some(root) = document.next()? {
            return Ok(root);
        }
    }
}

struct Document<'a> {
    reader: Reader<&'a [u8]>,
    /// Where the current event begins.
    at: u32,
    open: Vec<Element>,
    count: usize,
}

impl Document<'_> {
    /// Reads an event. Returns the outermost element at its end.
    fn next(&mut self) -> Result<Option<Element>, Fault> {
        self.at = offset(self.reader.buffer_position());
        // The library's own message may quote the text.
        let event = self.reader.read_event().map_err(|_| {
            Fault::new(offset(self.reader.error_position()), "the XML is not well formed")
        })?;
        match event {
            Event::Start(tag) => {
                let element = self.element(&tag)?;
                self.open.push(element);
            }
            Event::Empty(tag) => {
                let element = self.element(&tag)?;
                return Ok(self.closed(element));
            }
            Event::End(_) => {
                let element = self.open.pop().ok_or_else(|| self.fault("nothing is open here"))?;
                return Ok(self.closed(element));
            }
            Event::Text(text) => {
                let text = text.xml_content(XmlVersion::default());
                self.add(&text.map_err(|_| self.fault("a text cannot be read"))?)?;
            }
            Event::CData(text) => self.add(&String::from_utf8_lossy(&text.into_inner()))?,
            Event::GeneralRef(reference) => {
                let text = self.resolved(&reference)?;
                self.add(&text)?;
            }
            Event::DocType(_) => return Err(self.fault("a DOCTYPE is not allowed")),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return Err(self.fault("the file ends within an element")),
        }
        Ok(None)
    }

    fn element(&mut self, tag: &BytesStart<'_>) -> Result<Element, Fault> {
        self.count += 1;
        if self.count > MAX_ELEMENTS {
            return Err(self.fault(format!("there are more than {MAX_ELEMENTS} elements")));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fault(format!("there are more than {MAX_DEPTH} levels of elements")));
        }
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| self.fault("an attribute cannot be read"))?;
            if attributes.len() == MAX_ATTRIBUTES {
                return Err(self.fault("an element has too many attributes"));
            }
            let value = attribute.normalized_value(XmlVersion::default());
            let value = value.map_err(|_| self.fault("an attribute cannot be read"))?;
            let name =
                String::from_utf8_lossy(attribute.key.local_name().into_inner()).into_owned();
            attributes.push((name, value.into_owned()));
        }
        let name = String::from_utf8_lossy(tag.local_name().into_inner()).into_owned();
        Ok(Element::new(name, self.at, attributes))
    }

    /// Puts a closed element into the one around it; returns it if there is none.
    fn closed(&mut self, element: Element) -> Option<Element> {
        match self.open.last_mut() {
            Some(outer) => {
                outer.children.push(element);
                None
            }
            None => Some(element),
        }
    }

    fn add(&mut self, text: &str) -> Result<(), Fault> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(self.fault("an element is expected")),
        }
        Ok(())
    }

    /// The character of a reference such as `&lt;` or `&#10;`.
    fn resolved(&self, reference: &BytesRef<'_>) -> Result<String, Fault> {
        if let Ok(Some(character)) = reference.resolve_char_ref() {
            return Ok(character.into());
        }
        let name = reference.decode().ok();
        let text = name.and_then(|name| quick_xml::escape::resolve_predefined_entity(&name));
        text.map(str::to_owned).ok_or_else(|| self.fault("an entity is unknown"))
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::new(self.at, reason)
    }
}

/// The limit on a file's length keeps offsets below 2^32.
fn offset(at: u64) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(text.as_bytes())
            .err()
            .map(|fault| format!("{}: {}", fault.offset, fault.reason))
            .unwrap()
    }

    #[test]
    fn elements_have_their_places_and_texts() {
        let text =
            "<?xml version='1.0'?>\n<a x='&lt;1'><!-- no --><b/> t&amp;<![CDATA[<]]>&#10;</a>";
        let root = read(text.as_bytes()).unwrap_or_else(|fault| panic!("{}", fault.reason));
        assert_eq!((root.name.as_str(), root.offset), ("a", 22));
        assert_eq!((root.attribute("x"), root.text.as_str()), (Some("<1"), " t&<\n"));
        assert_eq!((root.children[0].name.as_str(), root.children[0].offset), ("b", 46));
    }

    #[test]
    fn what_is_no_xml_is_refused_at_its_place() {
        for (text, wanted) in [
            ("", "0: the file ends within an element"),
            ("<a>", "3: the file ends within an element"),
            ("<a><b></a>", "6: the XML is not well formed"),
            ("secret<a/>", "0: an element is expected"),
            ("<a>&secret;</a>", "3: an entity is unknown"),
            ("<a x='&secret;'/>", "0: an attribute cannot be read"),
            ("<a x='1' x='2'/>", "0: an attribute cannot be read"),
            ("<!DOCTYPE a [<!ENTITY e 'e'>]><a/>", "0: a DOCTYPE is not allowed"),
        ] {
            assert_eq!(refused(text), wanted, "{text}");
        }
        assert_eq!(refused(&"<a>".repeat(40)), "96: there are more than 32 levels of elements");
        let many = format!("<a>{}</a>", "<b/>".repeat(60_000));
        assert!(refused(&many).ends_with("there are more than 50000 elements"));
        assert!(refused(&" ".repeat(1 << 21)).starts_with("0: the file is longer"));
        let attributes: Vec<String> = (0..65).map(|n| format!("a{n}=''")).collect();
        assert!(
            refused(&format!("<a {}/>", attributes.join(" "))).ends_with("too many attributes")
        );
        assert_eq!(read(b"<a>\xff</a>").err().unwrap().offset, 3);
    }
}
