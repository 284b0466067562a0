mod client;
mod forecast;
mod place;

use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    message::ToolResult,
    ports::{Tool, ToolCallContext, ToolSpec},
};
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::json;

use crate::{ServiceUrl, arguments, names};

use client::Client;
use forecast::Forecast;
use place::Place;

pub use client::WeatherError;

/// What is remembered, and for how long: a forecast changes with each quarter of an hour, a place does not.
const MOST_FORECASTS: u64 = 512;
const FORECAST_LIFE: Duration = Duration::from_mins(10);
const MOST_PLACES: u64 = 1_024;
const PLACE_LIFE: Duration = Duration::from_hours(24);
/// The longest name of a city, in characters.
const CITY_CHARS: usize = 100;

/// The tool `getWeather`: the forecast of Open-Meteo or of a service that speaks like it.
///
/// What it gives is what the pages' weather card reads. A failure is a [`ToolResult::Error`] and never an output with an
/// `error` in it, at which the card would crash.
#[derive(Debug)]
pub struct Weather {
    spec: ToolSpec,
    client: Client,
    forecast: ServiceUrl,
    geocoding: ServiceUrl,
    /// By the coordinates as they are asked for.
    forecasts: Cache<(String, String), Forecast>,
    /// By the name as it was given, in lower case.
    places: Cache<String, Place>,
}

#[derive(Debug, Deserialize)]
struct Arguments {
    latitude: Option<f64>,
    longitude: Option<f64>,
    city: Option<String>,
}

impl Weather {
    /// The tool, with the services that know the weather and where cities are.
    ///
    /// Errs if a service's URL is `https` and no TLS provider was installed, or if the system's certificates cannot be read.
    pub fn new(forecast: ServiceUrl, geocoding: ServiceUrl) -> Result<Self, WeatherError> {
        Ok(Self {
            spec: spec(),
            client: Client::new([&forecast, &geocoding])?,
            forecast,
            geocoding,
            forecasts: Cache::builder()
                .max_capacity(MOST_FORECASTS)
                .time_to_live(FORECAST_LIFE)
                .build(),
            places: Cache::builder()
                .max_capacity(MOST_PLACES)
                .time_to_live(PLACE_LIFE)
                .build(),
        })
    }

    async fn look_up(&self, arguments: Arguments) -> Result<Forecast, &'static str> {
        let city = arguments.city.as_deref().map(str::trim);
        let (latitude, longitude, name) = match city.filter(|city| !city.is_empty()) {
            Some(city) => {
                let place = self.place(city).await?;
                (place.latitude, place.longitude, Some(place.name))
            }
            None => match (arguments.latitude, arguments.longitude) {
                (Some(latitude), Some(longitude)) => (latitude, longitude, None),
                _ => return Err("Give a city, or a latitude and a longitude."),
            },
        };
        if !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0) {
            return Err("A latitude is from -90 to 90 and a longitude from -180 to 180.");
        }
        let mut forecast = self.forecast_at(latitude, longitude).await?;
        forecast.city_name = name;
        Ok(forecast)
    }

    async fn place(&self, city: &str) -> Result<Place, &'static str> {
        if city.chars().count() > CITY_CHARS {
            return Err("The city's name is too long.");
        }
        let key = city.to_lowercase();
        if let Some(place) = self.places.get(&key) {
            return Ok(place);
        }
        let (name, more) = place::parts(city);
        let url = self
            .geocoding
            .with(&[("name", name), ("count", "10"), ("format", "json")]);
        let found = self.client.get(url, "places").await?;
        let place = place::best(found, &more).ok_or("No city is known by that name.")?;
        self.places.insert(key, place.clone());
        Ok(place)
    }

    async fn forecast_at(&self, latitude: f64, longitude: f64) -> Result<Forecast, &'static str> {
        // About a kilometre: finer than the weather is known.
        let key = (format!("{latitude:.2}"), format!("{longitude:.2}"));
        if let Some(forecast) = self.forecasts.get(&key) {
            return Ok(forecast);
        }
        let url = self.forecast.with(&[
            ("latitude", &key.0),
            ("longitude", &key.1),
            ("current", "temperature_2m"),
            ("hourly", "temperature_2m"),
            ("daily", "sunrise,sunset"),
            ("timezone", "auto"),
        ]);
        let forecast: Forecast = self.client.get(url, "forecast").await?;
        self.forecasts.insert(key, forecast.clone());
        Ok(forecast)
    }
}

#[async_trait]
impl Tool for Weather {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, _context: &ToolCallContext<'_>, arguments: &str) -> ToolResult {
        let arguments = match arguments::read(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error,
        };
        let message = match self.look_up(arguments).await {
            Ok(forecast) => match serde_json::to_value(forecast) {
                Ok(output) => return ToolResult::Output { output },
                // Numbers that JSON cannot hold were refused when the forecast was read.
                Err(_) => "The weather service sent no forecast.",
            },
            Err(message) => message,
        };
        ToolResult::Error {
            message: message.to_owned(),
        }
    }
}

fn spec() -> ToolSpec {
    ToolSpec {
        name: names::GET_WEATHER.to_owned(),
        description: "Get the current weather and the forecast at a place: give a city, or a latitude and a longitude. \
                      The user is shown a card with it, so do not list all its figures."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "latitude": {"type": "number", "description": "Degrees north."},
                "longitude": {"type": "number", "description": "Degrees east."},
                "city": {"type": "string", "description": "The city's name, such as \"Paris\" or \"Paris, Texas\"."},
            },
            "additionalProperties": false,
        }),
    }
}

#[cfg(test)]
mod tests;
