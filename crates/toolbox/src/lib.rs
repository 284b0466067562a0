//! Tools that the server runs for a model: the weather, and documents that models write.
//!
//! For the service that runs the engine: each is a [`chat_core::ports::Tool`], to be given to the engine with its ports.
//!
//! | what | who makes it |
//! |---|---|
//! | `getWeather` | [`Weather::new`], with the [`ServiceUrl`]s of a forecast and of a geocoder |
//! | `createDocument`, `updateDocument`, `editDocument`, `requestSuggestions` | [`document_tools`], with [`DocumentPorts`] |
//! | documents that are images | an [`ImageModel`] in these ports |
//! | the parts of a system prompt | [`document_instructions`], [`origin_hints`] |
//!
//! What the tools take, give and tell while they work is what the pages of the chatbot template render; the names are in
//! [`names`] and never change. They know no frontend's wire, no database and no model's server: documents are stored
//! through a port, and what is written is asked of the model in the call's context.
//!
//! # How a document comes to be
//!
//! [`DocumentOpened`], [`DocumentDelta`]s, then the version is stored, then [`DocumentStored`], then the call's result: who
//! hears that it is stored can read it. The document belongs to the conversation's owner; another's, and one that is not
//! there, are told alike. In one answer the calls take turns, since pages show one document at a time.
//!
//! **Nothing half-written is stored.** When the model that writes fails, breaks off or is stopped by a filter, no version is
//! added and the call is an error with one sentence. The page, which shows the half text and waits for more, is
//! given back what stands: [`DocumentOpened`] clears it, one [`DocumentDelta`] brings the version that was there before (none
//! for a new document), and the transient data `finish` ends the waiting. The same goes for a rewriting that is cut off at
//! the model's limit or at 1 MiB, for it would lose the document's end. A new document that is cut off there is stored
//! with what there is, and the model is told so.
//!
//! A call whose future is dropped, because its reader pressed stop, stores nothing, unless the one write that
//! adds the version was under way: then the whole version is there.
//!
//! [`DocumentOpened`]: chat_core::ports::ToolEvent::DocumentOpened
//! [`DocumentDelta`]: chat_core::ports::ToolEvent::DocumentDelta
//! [`DocumentStored`]: chat_core::ports::ToolEvent::DocumentStored

mod arguments;
mod documents;
mod fence;
mod hints;
mod images;
mod instructions;
pub mod names;
mod service_url;
#[cfg(test)]
mod testing;
mod weather;

pub use documents::{DocumentPorts, document_tools};
pub use hints::{Origin, origin_hints};
pub use images::ImageModel;
pub use instructions::document_instructions;
pub use service_url::{InvalidServiceUrl, ServiceUrl};
pub use weather::{Weather, WeatherError};
