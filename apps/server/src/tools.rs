//! The tools that this server runs, as far as they are configured.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use chat_core::ports::{Clock, ModelError, Tool};
use llm_client::{Images, Shared};
use toolbox::{DocumentPorts, ImageModel, Weather, document_tools, names};

use crate::{config::ToolsConfig, stores::Stores, system::RandomIds};

/// The tools of this configuration, for the engine.
///
/// Errs if a client of a service cannot be made. What is left out is said once, in the log.
pub fn build(
    config: &ToolsConfig,
    stores: &Stores,
    clock: &Arc<dyn Clock>,
    upstream: &Arc<Shared>,
) -> anyhow::Result<Vec<Arc<dyn Tool>>> {
    let images = config.image_model.as_ref().map(|model| {
        let images = Images::new(Arc::clone(upstream), model.clone())?;
        Ok::<Arc<dyn ImageModel>, anyhow::Error>(Arc::new(Drawing(images)))
    });
    let mut tools = document_tools(DocumentPorts {
        documents: Arc::clone(&stores.documents),
        clock: Arc::clone(clock),
        ids: Arc::new(RandomIds),
        images: images
            .transpose()
            .context("SKEIN_IMAGE_MODEL: images cannot be asked for")?,
    });
    if let (Some(forecast), Some(geocoding)) = (&config.forecast, &config.geocoding) {
        let weather = Weather::new(forecast.clone(), geocoding.clone())
            .context("SKEIN_WEATHER_URL: the weather cannot be asked for")?;
        tools.push(Arc::new(weather));
    }
    tools.retain(|tool| config.offered.contains(&tool.spec().name));
    tell(config);
    Ok(tools)
}

/// Says what models are offered and what they are not.
fn tell(config: &ToolsConfig) {
    let missing: Vec<&str> = names::ALL
        .into_iter()
        .filter(|name| !config.offered.iter().any(|offered| offered == name))
        .collect();
    let without_images = config.image_model.is_none()
        && config
            .offered
            .iter()
            .any(|name| name == names::CREATE_DOCUMENT);
    tracing::info!(
        offered = config.offered.join(", "),
        not_offered = missing.join(", "),
        asking_first = config.consent.join(", "),
        images = !without_images && !config.offered.is_empty(),
        "tools"
    );
}

/// The upstream's images, for the document tools.
#[derive(Debug)]
struct Drawing(Images);

#[async_trait]
impl ImageModel for Drawing {
    async fn draw(&self, description: &str) -> Result<String, ModelError> {
        self.0.draw(description).await
    }
}
