//! Faces of ids: how a UUID, or a part of what has one, is spelled on a wire.
//!
//! A face is a prefix, then the UUID in base 62 at its full width, then, for ordinals above 0, the ordinal in base 62
//! at its least width (`docs/wire/ai-sdk.md` W52). One thing has one spelling: every other one is refused, so that a face can be compared as text.

use uuid::Uuid;

/// Digits of a UUID in base 62: the least number that holds all 128 bits.
const UUID_DIGITS: usize = 22;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A text is no face of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct InvalidFace;

/// The face of part `ordinal` of what has this UUID; ordinal 0 is the thing itself or its first part.
pub fn encode(prefix: &str, uuid: Uuid, ordinal: u32) -> String {
    let mut face = String::with_capacity(prefix.len() + UUID_DIGITS + 6);
    face.push_str(prefix);
    push_digits(&mut face, uuid.as_u128(), UUID_DIGITS);
    if ordinal > 0 {
        push_digits(&mut face, u128::from(ordinal), 0);
    }
    face
}

/// The UUID and the ordinal that [`encode`] made this face of, with the same prefix.
///
/// Refuses another prefix, another length, digits that are none, numbers that are too great, and an ordinal that is
/// spelled with leading zeros.
pub fn decode(prefix: &str, face: &str) -> Result<(Uuid, u32), InvalidFace> {
    let digits = face.strip_prefix(prefix).ok_or(InvalidFace)?.as_bytes();
    let (uuid, ordinal) = digits.split_at_checked(UUID_DIGITS).ok_or(InvalidFace)?;
    let uuid = Uuid::from_u128(value(uuid)?);
    let ordinal = match ordinal.first() {
        None => 0,
        Some(b'0') => return Err(InvalidFace),
        Some(_) => u32::try_from(value(ordinal)?).or(Err(InvalidFace))?,
    };
    Ok((uuid, ordinal))
}

fn push_digits(face: &mut String, mut number: u128, width: usize) {
    let mut digits = [0_u8; UUID_DIGITS];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        if number == 0 && used >= width {
            break;
        }
        // The remainder is below 62, so the index is within the alphabet and the cast is exact.
        let digit = usize::try_from(number % 62).unwrap_or_default();
        *slot = ALPHABET.get(digit).copied().unwrap_or_default();
        number /= 62;
        used += 1;
    }
    face.extend(
        digits
            .iter()
            .skip(UUID_DIGITS - used)
            .copied()
            .map(char::from),
    );
}

fn value(digits: &[u8]) -> Result<u128, InvalidFace> {
    let mut number = 0_u128;
    for byte in digits {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return Err(InvalidFace),
        };
        number = number
            .checked_mul(62)
            .and_then(|number| number.checked_add(u128::from(digit)))
            .ok_or(InvalidFace)?;
    }
    Ok(number)
}

#[cfg(test)]
mod tests;
