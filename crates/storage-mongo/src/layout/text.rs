use std::io::{Read as _, Write as _};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use mongodb::bson::{Binary, Bson, spec::BinarySubtype};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::Failure;

/// A value of ours or of a client as JSON text: a string, or from 64 KiB on a binary that holds the text deflated.
///
/// As BSON it would not be the same: BSON has no unsigned numbers, its keys hold no NUL, and a key that begins with `$`
/// is an operator to some commands. Deflated, since JSON writes a control character in six: a message of 8 MiB of them,
/// which is allowed, would not fit into the 16 MB that a document may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StoredText(Bson);

impl StoredText {
    /// The JSON text of a value.
    pub(crate) fn of(what: &'static str, value: &impl Serialize) -> Result<Self, Failure> {
        let text = serde_json::to_string(value).map_err(Failure::corrupt(what))?;
        if text.len() < PACKED_FROM {
            return Ok(Self(Bson::String(text)));
        }
        let bytes = deflate(text.as_bytes()).map_err(Failure::corrupt(what))?;
        Ok(Self(Bson::Binary(Binary {
            subtype: BinarySubtype::Generic,
            bytes,
        })))
    }

    /// The value of the text.
    pub(crate) fn read<T: DeserializeOwned>(&self, what: &'static str) -> Result<T, Failure> {
        if let Bson::String(text) = &self.0 {
            serde_json::from_str(text).map_err(Failure::corrupt(what))
        } else if let Bson::Binary(binary) = &self.0 {
            let text = inflate(&binary.bytes).map_err(Failure::corrupt(what))?;
            serde_json::from_slice(&text).map_err(Failure::corrupt(what))
        } else {
            Err(Failure::corrupt(what)("it is no text"))
        }
    }

    /// Whether it is so long that reading it is work for the blocking pool.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self.0, Bson::Binary(_))
    }
}

/// Bytes as they are, or from 64 KiB on deflated, which the binary's subtype tells (the first that is free for users).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StoredBytes(Binary);

impl StoredBytes {
    /// These bytes.
    pub(crate) fn of(what: &'static str, bytes: Vec<u8>) -> Result<Self, Failure> {
        if bytes.len() < PACKED_FROM {
            return Ok(Self(Binary {
                subtype: BinarySubtype::Generic,
                bytes,
            }));
        }
        Ok(Self(Binary {
            subtype: DEFLATED,
            bytes: deflate(&bytes).map_err(Failure::corrupt(what))?,
        }))
    }

    /// The bytes.
    pub(crate) fn read(self, what: &'static str) -> Result<Vec<u8>, Failure> {
        if self.0.subtype == DEFLATED {
            inflate(&self.0.bytes).map_err(Failure::corrupt(what))
        } else {
            Ok(self.0.bytes)
        }
    }

    /// How many bytes are stored.
    pub(crate) fn len(&self) -> usize {
        self.0.bytes.len()
    }
}

const PACKED_FROM: usize = 64 * 1024;
const DEFLATED: BinarySubtype = BinarySubtype::UserDefined(0x80);
/// More than anything that we store inflates to.
const MOST_INFLATED: u64 = 512 * 1024 * 1024;

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes)?;
    packer.finish()
}

fn inflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    ZlibDecoder::new(bytes)
        .take(MOST_INFLATED)
        .read_to_end(&mut inflated)?;
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_reads_back_exactly_whatever_its_keys_and_numbers() {
        let value = json!({
            "$set": {"a.b": 1, "": 2, "nul\u{0}key": "nul \u{0}"},
            "largest": u64::MAX,
            "float": 0.1,
        });
        let stored = StoredText::of("value", &value).unwrap();
        assert!(!stored.is_long());
        assert_eq!(stored.read::<Value>("value").unwrap(), value);
    }

    #[test]
    fn eight_mebibytes_of_control_characters_fit_into_a_document() {
        let text = "\u{1}".repeat(8 * 1024 * 1024);
        let stored = StoredText::of("value", &text).unwrap();
        assert!(stored.is_long());
        let size = mongodb::bson::serialize_to_vec(&mongodb::bson::doc! {"body": stored.0.clone()})
            .unwrap()
            .len();
        assert!(size < 1024 * 1024, "{size}");
        assert_eq!(stored.read::<String>("value").unwrap(), text);
    }

    #[test]
    fn bytes_read_back_as_they_were() {
        for length in [0, 1, PACKED_FROM - 1, PACKED_FROM, 1_000_000] {
            let bytes: Vec<u8> = (0..length)
                .map(|at| u8::try_from(at % 251).unwrap())
                .collect();
            let stored = StoredBytes::of("bytes", bytes.clone()).unwrap();
            assert_eq!(stored.read("bytes").unwrap(), bytes, "{length}");
        }
    }

    #[test]
    fn what_is_no_text_is_corrupt() {
        let stored = StoredText(Bson::Int64(7));
        assert!(matches!(
            stored.read::<Value>("value"),
            Err(Failure::Corrupt { what: "value", .. })
        ));
        let packed = StoredText(Bson::Binary(Binary {
            subtype: BinarySubtype::Generic,
            bytes: vec![1, 2, 3],
        }));
        assert!(packed.read::<Value>("value").is_err());
    }
}
