//! Reads values as MongoDB's Extended JSON (version 2, canonical and relaxed) and other writers spell them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The value under this key, unless it is not there or null.
pub(crate) fn present<'v>(object: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// The inside of `{"$name": …}`.
fn typed<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value
        .as_object()
        .filter(|object| object.len() == 1)?
        .get(name)
}

/// An id as text: a string, an `ObjectId`'s digits, a UUID, or a number.
pub(crate) fn id(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    if let Some(text) = ["$oid", "$uuid"]
        .into_iter()
        .find_map(|name| typed(value, name))
    {
        return text
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
    }
    if let Some(binary) = typed(value, "$binary") {
        let bytes = STANDARD.decode(binary.get("base64")?.as_str()?).ok()?;
        let is_uuid = matches!(binary.get("subType")?.as_str()?, "03" | "04" | "3" | "4");
        let uuid = Uuid::from_slice(&bytes).ok()?;
        return is_uuid.then(|| uuid.to_string());
    }
    integer(value).map(|number| number.to_string())
}

/// A whole number, however it is typed. A number with a fraction is none.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    if let Some(number) = value.as_f64() {
        return whole(number);
    }
    ["$numberInt", "$numberLong", "$numberDouble"]
        .into_iter()
        .find_map(|name| typed(value, name))
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok().or_else(|| whole(text.parse().ok()?)))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a whole number of at most 53 bits is an i64 exactly"
)]
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// Numbers below this are seconds, not milliseconds: it is the year 5138 in seconds, and 1973 in milliseconds.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// A time in milliseconds since the Unix epoch: a date of Extended JSON; text, in UTC unless it says otherwise; or a number
/// of seconds or milliseconds.
pub(crate) fn time_ms(value: &Value) -> Option<i64> {
    let value = typed(value, "$date").unwrap_or(value);
    if typed(value, "$numberLong").is_some() {
        return integer(value);
    }
    if let Some(text) = value.as_str() {
        return text_ms(text);
    }
    let number = value.as_f64()?;
    if number.abs() < 1e11 {
        // Fractions of a second are kept to the millisecond.
        return whole((number * 1000.0).round());
    }
    integer(value)
}

/// The same of a text.
pub(crate) fn text_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    if let Ok(number) = text.parse::<i64>() {
        return if number.abs() < SECONDS_BELOW {
            number.checked_mul(1000)
        } else {
            Some(number)
        };
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    let time = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp().as_millisecond())
}

/// When an `ObjectId` was made.
pub(crate) fn object_id_ms(value: &Value) -> Option<i64> {
    let digits = typed(value, "$oid")?
        .as_str()
        .filter(|text| text.len() == 24)?;
    let seconds = i64::from_str_radix(digits.get(..8)?, 16).ok()?;
    Some(seconds * 1000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_an_id_however_it_is_typed() {
        for (value, expected) in [
            (json!("abc"), Some("abc")),
            (
                json!({"$oid": "507f1f77bcf86cd799439011"}),
                Some("507f1f77bcf86cd799439011"),
            ),
            (
                json!({"$uuid": "67e55044-10b1-426f-9247-bb680e5fe0c8"}),
                Some("67e55044-10b1-426f-9247-bb680e5fe0c8"),
            ),
            (
                json!({"$binary": {"base64": "Z+VQRBCxQm+SR7toDl/gyA==", "subType": "04"}}),
                Some("67e55044-10b1-426f-9247-bb680e5fe0c8"),
            ),
            (json!({"$numberLong": "17"}), Some("17")),
            (json!(17), Some("17")),
            (json!({"$ne": null}), None),
            (json!({"$oid": "a", "$ne": 1}), None),
            (json!(""), None),
            (json!([1]), None),
            (json!(true), None),
        ] {
            assert_eq!(id(&value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn reads_a_time_however_it_is_typed() {
        let ms = 1_735_787_045_678;
        for (value, expected) in [
            (json!({"$date": "2025-01-02T03:04:05.678Z"}), Some(ms)),
            (json!({"$date": {"$numberLong": "1735787045678"}}), Some(ms)),
            (json!({"$date": 1_735_787_045_678_i64}), Some(ms)),
            (json!("2025-01-02T03:04:05.678Z"), Some(ms)),
            (json!("2025-01-02T04:04:05.678+01:00"), Some(ms)),
            (json!("2025-01-02T04:04:05.678+0100"), Some(ms)),
            (json!("2025-01-02 03:04:05.678"), Some(ms)),
            (json!("2025-01-02 03:04:05.678+00"), Some(ms)),
            (json!("2025-01-02 03:04:05"), Some(ms - 678)),
            (json!(1_735_787_045), Some(ms - 678)),
            (json!(1_735_787_045.678), Some(ms)),
            (json!(ms), Some(ms)),
            (json!({"$date": {"$numberLong": "-1"}}), Some(-1)),
            (json!("soon"), None),
            (json!({"$date": {"$gt": 0}}), None),
            (json!([]), None),
        ] {
            assert_eq!(time_ms(&value), expected, "{value}");
        }
        let id = json!({"$oid": "65920080aaaaaaaaaaaaaaaa"});
        assert_eq!(object_id_ms(&id), Some(1_704_067_200_000));
    }
}
