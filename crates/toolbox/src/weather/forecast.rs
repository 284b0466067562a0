//! A forecast as Open-Meteo sends it and as the pages' card reads it, and nothing else of what a service sends.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A forecast. Source of the format: Open-Meteo's documentation of `/v1/forecast`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Forecast {
    latitude: f64,
    longitude: f64,
    timezone: String,
    elevation: f64,
    #[serde(default)]
    utc_offset_seconds: i64,
    current_units: Map<String, Value>,
    current: Current,
    hourly_units: Map<String, Value>,
    hourly: Hourly,
    daily_units: Map<String, Value>,
    daily: Daily,
    /// The place that the city's name was taken for.
    #[serde(rename = "cityName", skip_serializing_if = "Option::is_none")]
    pub(super) city_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Current {
    time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval: Option<u32>,
    temperature_2m: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Hourly {
    time: Vec<String>,
    /// At the end of a forecast a model may know no more.
    temperature_2m: Vec<Option<f64>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Daily {
    time: Vec<String>,
    sunrise: Vec<String>,
    sunset: Vec<String>,
}
