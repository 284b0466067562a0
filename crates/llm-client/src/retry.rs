//! How long to wait before a request is repeated.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::Retries;

/// When the upstream said to come back: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date.
///
/// A date counts from the answer's own `date`, so that neither clock has to be right; without one it says nothing.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    let seconds = number("retry-after-ms")
        .map(|ms| ms / 1000.0)
        .or_else(|| number(RETRY_AFTER.as_str()));
    if let Some(seconds) = seconds {
        // Fails for what is negative, endless or no number.
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let date = |name: &str| httpdate::parse_http_date(text(name)?).ok();
    let (then, now) = (date(RETRY_AFTER.as_str())?, date(DATE.as_str())?);
    Some(then.duration_since(now).unwrap_or_default())
}

/// The wait before repetition `nth`, counted from 0. `chance` lies between 0 and 1.
pub(crate) fn wait(retries: &Retries, nth: u32, asked: Option<Duration>, chance: f64) -> Duration {
    match asked {
        Some(asked) => asked.min(retries.longest_asked),
        None => retries
            .first_wait
            .saturating_mul(2_u32.saturating_pow(nth))
            .min(retries.longest_wait)
            .mul_f64(1.0 - 0.25 * chance.clamp(0.0, 1.0)),
    }
}

/// A number between 0 and 1 that differs from call to call, so that many clients do not come back at once.
pub(crate) fn chance() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 32;
    u32::try_from(bits).map_or(0.0, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
