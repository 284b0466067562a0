use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{asked, chance, wait};
use crate::Retries;

#[track_caller]
fn check(headers: &[(&'static str, &'static str)], expected_ms: Option<u64>) {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    assert_eq!(
        asked(&headers),
        expected_ms.map(Duration::from_millis),
        "{headers:?}"
    );
}

#[test]
fn reads_every_form_of_retry_after() {
    check(&[], None);
    check(&[("retry-after", "7")], Some(7_000));
    check(&[("retry-after", " 1.5 ")], Some(1_500));
    check(&[("retry-after", "-3")], Some(0));
    check(&[("retry-after", "soon")], None);
    check(&[("retry-after", "inf")], None);
    check(&[("retry-after", "1e300")], None);
    check(
        &[("retry-after-ms", "250"), ("retry-after", "7")],
        Some(250),
    );
    check(
        &[("retry-after-ms", "soon"), ("retry-after", "7")],
        Some(7_000),
    );
}

#[test]
fn counts_a_date_from_the_answers_own() {
    let now = ("date", "Fri, 20 Nov 2026 10:00:00 GMT");
    check(
        &[now, ("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT")],
        Some(30_000),
    );
    check(
        &[now, ("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT")],
        Some(0),
    );
    check(&[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT")], None);
}

#[test]
fn doubles_up_to_a_cap_with_a_quarter_of_jitter() {
    let retries = Retries::default();
    let ms = |nth, asked, chance| wait(&retries, nth, asked, chance).as_millis();
    assert_eq!(
        [ms(0, None, 0.0), ms(1, None, 0.0), ms(2, None, 0.0)],
        [500, 1_000, 2_000]
    );
    assert_eq!(ms(4, None, 0.0), 8_000);
    assert_eq!(ms(40, None, 0.0), 8_000);
    assert_eq!(ms(0, None, 1.0), 375);
    assert_eq!(ms(0, Some(Duration::from_secs(3)), 1.0), 3_000);
    assert_eq!(ms(0, Some(Duration::from_hours(1)), 0.0), 60_000);
}

#[test]
fn chance_lies_between_zero_and_one_and_varies() {
    let drawn: Vec<f64> = (0..64).map(|_| chance()).collect();
    assert!(drawn.iter().all(|one| (0.0..=1.0).contains(one)));
    assert!(drawn.iter().any(|one| (one - drawn[0]).abs() > 0.01));
}
