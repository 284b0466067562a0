//! Settings of the tools that this server runs, and of the models that work beside the one that answers.

use dialects::ai_sdk::AiSdkChunks;
use toolbox::{ServiceUrl, names};

use super::Reader;

const FORECAST: &str = "https://api.open-meteo.com/v1/forecast";
const GEOCODING: &str = "https://geocoding-api.open-meteo.com/v1/search";

/// The tools and what they use.
#[derive(Debug, Clone, Default)]
pub struct ToolsConfig {
    /// Names of the tools that models are offered, in the order in which they are told of them.
    pub offered: Vec<String>,
    /// Names of those of them whose calls wait for their reader's consent.
    pub consent: Vec<String>,
    /// Where forecasts are; `None` when the weather is not offered.
    pub forecast: Option<ServiceUrl>,
    /// Where places are found; `None` when the weather is not offered.
    pub geocoding: Option<ServiceUrl>,
    /// The model that makes images; `None` offers none.
    pub image_model: Option<String>,
    /// The model that tools write documents with; `None` is the one that answers.
    pub artifact_model: Option<String>,
    /// The model that makes titles; `None` is the one that answers.
    pub title_model: Option<String>,
}

impl Reader<'_> {
    pub(super) fn tools(&mut self, chunks: AiSdkChunks) -> ToolsConfig {
        let offered = match self.text(&["SKEIN_TOOLS"]).as_deref() {
            None | Some("on") => names::ALL.map(str::to_owned).to_vec(),
            Some("off") => Vec::new(),
            Some(list) => self.tool_names("SKEIN_TOOLS", list, "on, off or"),
        };
        let consent = self.consent(chunks, &offered);
        let weather = offered.iter().any(|name| name == names::GET_WEATHER);
        let forecast = self.service("SKEIN_WEATHER_URL", FORECAST);
        let geocoding = self.service("SKEIN_GEOCODING_URL", GEOCODING);
        ToolsConfig {
            offered,
            consent,
            forecast: forecast.filter(|_| weather),
            geocoding: geocoding.filter(|_| weather),
            image_model: self.text(&["SKEIN_IMAGE_MODEL"]),
            artifact_model: self.text(&["SKEIN_ARTIFACT_MODEL"]),
            title_model: self.text(&["SKEIN_TITLE_MODEL"]),
        }
    }

    /// Those of the offered tools that wait for consent. A version 5 client cannot be asked: the chunk ends its stream.
    fn consent(&mut self, chunks: AiSdkChunks, offered: &[String]) -> Vec<String> {
        let asks = match chunks {
            AiSdkChunks::All => false,
            AiSdkChunks::V6 | AiSdkChunks::V7 => true,
        };
        let wanted = match self.text(&["SKEIN_TOOL_APPROVALS"]).as_deref() {
            None if asks => vec![names::GET_WEATHER.to_owned()],
            None | Some("off") => Vec::new(),
            Some(list) => self.tool_names("SKEIN_TOOL_APPROVALS", list, "off or"),
        };
        if !asks && !wanted.is_empty() {
            self.faults.push(
                "SKEIN_TOOL_APPROVALS: is set, but with SKEIN_AI_SDK_CHUNKS=all the request for consent would end the \
                 stream of version 5 clients; set that to v6 or v7, or leave this out"
                    .to_owned(),
            );
        }
        offered
            .iter()
            .filter(|name| wanted.contains(name))
            .cloned()
            .collect()
    }

    /// The names of a list, in the tools' own order.
    fn tool_names(&mut self, setting: &str, list: &str, or: &str) -> Vec<String> {
        let listed: Vec<&str> = list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        for name in &listed {
            if !names::ALL.contains(name) {
                let accepted = format!(
                    "{or} a list of {}, divided by commas,",
                    names::ALL.join(", ")
                );
                self.fault(setting, name, &accepted);
            }
        }
        names::ALL
            .into_iter()
            .filter(|name| listed.contains(name))
            .map(str::to_owned)
            .collect()
    }

    fn service(&mut self, name: &str, default: &str) -> Option<ServiceUrl> {
        let held = self.text(&[name]);
        match ServiceUrl::parse(held.as_deref().unwrap_or(default)) {
            Ok(url) => Some(url),
            Err(error) => {
                self.faults.push(format!("{name}: {error}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Faults, Source};
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<ToolsConfig, Faults> {
        Config::read(&Source::of(values.iter().copied())).map(|config| config.tools)
    }

    #[test]
    fn every_tool_is_offered_and_none_asks() {
        let tools = read(&[]).unwrap();
        assert_eq!(tools.offered, names::ALL);
        assert!(tools.consent.is_empty());
        assert!(tools.forecast.is_some() && tools.image_model.is_none());
    }

    #[test]
    fn the_weather_asks_where_every_client_can_be_asked() {
        for chunks in ["v6", "v7"] {
            let tools = read(&[("SKEIN_AI_SDK_CHUNKS", chunks)]).unwrap();
            assert_eq!(tools.consent, [names::GET_WEATHER]);
        }
        let none = read(&[
            ("SKEIN_AI_SDK_CHUNKS", "v6"),
            ("SKEIN_TOOL_APPROVALS", "off"),
        ])
        .unwrap();
        assert!(none.consent.is_empty());
        let not_offered = read(&[
            ("SKEIN_AI_SDK_CHUNKS", "v6"),
            ("SKEIN_TOOLS", "createDocument"),
        ]);
        assert!(not_offered.unwrap().consent.is_empty());
    }

    #[test]
    fn consent_with_version_5_clients_is_a_fault_that_says_why() {
        let Faults(faults) = read(&[("SKEIN_TOOL_APPROVALS", "createDocument")]).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].contains("would end the stream of version 5 clients"),
            "{faults:?}"
        );
    }

    #[test]
    fn tools_are_chosen_by_name() {
        let tools = read(&[("SKEIN_TOOLS", "createDocument, getWeather,")]).unwrap();
        assert_eq!(tools.offered, [names::GET_WEATHER, names::CREATE_DOCUMENT]);
        let off = read(&[("SKEIN_TOOLS", "off")]).unwrap();
        assert!(off.offered.is_empty() && off.forecast.is_none());
    }

    #[test]
    fn unknown_tools_and_bad_addresses_are_faults() {
        let Faults(faults) = read(&[
            ("SKEIN_TOOLS", "getWether"),
            ("SKEIN_WEATHER_URL", "https://me:geheim@x/"),
        ])
        .unwrap_err();
        assert_eq!(
            faults[0],
            "SKEIN_TOOLS: held \"getWether\"; on, off or a list of getWeather, createDocument, updateDocument, \
             editDocument, requestSuggestions, divided by commas, is accepted"
        );
        assert!(
            faults[1].starts_with("SKEIN_WEATHER_URL: is no address"),
            "{faults:?}"
        );
        assert!(!faults[1].contains("geheim"));
    }
}
