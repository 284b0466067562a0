//! Which of the places with a name is meant.

use serde::Deserialize;

/// A place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    country_code: Option<String>,
    #[serde(default)]
    admin1: Option<String>,
}

/// What a search gives. Source of the format: Open-Meteo's documentation of `/v1/search`.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    /// Not there when nothing was found.
    #[serde(default)]
    results: Vec<Place>,
}

/// A city's own name, and what was said to tell it from others: of "Paris, Texas", "Paris" and "Texas".
pub(super) fn parts(city: &str) -> (&str, Vec<&str>) {
    let mut parts = city
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let name = parts.next().unwrap_or(city);
    (name, parts.collect())
}

/// The first place of a search that lies where was said, else the first of all, which is the largest.
pub(super) fn best(found: Found, said: &[&str]) -> Option<Place> {
    let lies_there = |place: &Place| {
        let known = [&place.country, &place.country_code, &place.admin1];
        said.iter().any(|said| {
            let mut known = known.iter().copied().flatten();
            known.any(|name| name.to_lowercase() == said.to_lowercase())
        })
    };
    let mut places = found.results;
    let at = places.iter().position(lies_there).unwrap_or(0);
    (at < places.len()).then(|| places.swap_remove(at))
}
