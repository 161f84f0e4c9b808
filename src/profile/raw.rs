//! The document of the profiler as it was written, packed.

use std::io::{self, Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// A document as its profiler wrote it, byte for byte. Held gzipped: a tenth of its size, or less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawDocument {
    packed: Arc<[u8]>,
    bytes: usize,
}

impl RawDocument {
    /// Largest document that is kept, in bytes.
    pub const MOST_BYTES: usize = 16 << 20;

    /// Packs a document; `None` for one that is too large or no UTF-8.
    pub fn keep(document: &[u8]) -> Option<Self> {
        if document.len() > Self::MOST_BYTES || str::from_utf8(document).is_err() {
            return None;
        }
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(document).ok()?;
        let packed = packer.finish().ok()?.into();
        Some(Self { packed, bytes: document.len() })
    }

    /// The document.
    ///
    /// # Errors
    /// When what is held is no gzipped text; it was made by [`RawDocument::keep`].
    pub fn text(&self) -> io::Result<String> {
        let mut text = String::with_capacity(self.bytes);
        GzDecoder::new(&*self.packed).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Bytes of the document.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that it occupies, packed, beside its own size.
    pub(super) fn occupied(&self) -> usize {
        self.packed.len()
    }
}

/// As its text: a stored profile is packed as a whole.
impl Serialize for RawDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text().map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for RawDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::keep(text.as_bytes()).ok_or_else(|| de::Error::custom("the document is too large"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_as_it_was() {
        let document = "\u{feff}{\"a\": [1,  2], \"é\": \"\\u003c\"}\r\n".repeat(1_000);
        let kept = RawDocument::keep(document.as_bytes()).unwrap();
        assert_eq!((kept.text().unwrap(), kept.bytes()), (document.clone(), document.len()));
        assert!(kept.occupied() < document.len() / 10, "{}", kept.occupied());
        let stored = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<RawDocument>(&stored).unwrap(), kept);
    }

    #[test]
    fn what_cannot_be_given_back_is_not_kept() {
        assert_eq!(RawDocument::keep(b"{\"a\": \"\xff\"}"), None);
        assert_eq!(RawDocument::keep(&vec![b' '; RawDocument::MOST_BYTES + 1]), None);
    }
}
