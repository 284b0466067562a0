//! The description of this API, generated from the handlers.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::routes::{
    auth, chat, documents, files, history, info, messages, models, search, stream, suggestions,
    votes,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Skein",
        description = "One server behind the chat frontends that teams already run.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        info::health,
        info::ready,
        info::console,
        auth::guest,
        auth::register,
        auth::login,
        auth::refresh,
        auth::logout,
        auth::me,
        auth::session,
        chat::send,
        chat::stop,
        chat::row::read,
        chat::row::change,
        chat::row::delete,
        stream::resume,
        history::list,
        history::delete_all,
        messages::list,
        messages::delete,
        votes::list,
        votes::vote,
        search::find,
        models::list,
        documents::list,
        documents::save,
        documents::delete,
        suggestions::list,
        files::upload,
        files::blob,
    ),
    tags(
        (name = "auth", description = "Who is calling."),
        (name = "chat", description = "Conversations, for the AI SDK's chat."),
        (name = "documents", description = "What people and models write together."),
        (name = "files", description = "Images that people attach."),
        (name = "server", description = "The server itself."),
    ),
    modifiers(&Bearer),
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The document as JSON text, as it is checked in: two blanks of indent, a newline at the end.
pub fn json() -> String {
    #[expect(
        clippy::expect_used,
        reason = "the document is made of texts and maps, which always have a JSON form"
    )]
    let mut text = Document::openapi()
        .to_pretty_json()
        .expect("the document can be written as JSON");
    text.push('\n');
    text
}
