//! The tools' names, which pages show by and which are stored with every call: they never change.

/// The weather at a place.
pub const GET_WEATHER: &str = "getWeather";
/// A new document.
pub const CREATE_DOCUMENT: &str = "createDocument";
/// A rewritten document.
pub const UPDATE_DOCUMENT: &str = "updateDocument";
/// A document with some words replaced.
pub const EDIT_DOCUMENT: &str = "editDocument";
/// Suggestions to a document.
pub const REQUEST_SUGGESTIONS: &str = "requestSuggestions";

/// All of them, in the order in which models are told of them.
pub const ALL: [&str; 5] = [
    GET_WEATHER,
    CREATE_DOCUMENT,
    UPDATE_DOCUMENT,
    EDIT_DOCUMENT,
    REQUEST_SUGGESTIONS,
];
