//! Rows and the other small answers. docs/wire/ai-sdk.md W53 to W58.

use chat_core::message::Rating;
use records::{DocumentId, DocumentKind, DocumentVersion, Suggestion};

use super::*;

fn document() -> DocumentId {
    DocumentId(Uuid::from_u128(6))
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

#[test]
fn a_version_of_a_document() {
    for (kind, owner) in [
        (DocumentKind::Text, conversation().owner),
        (DocumentKind::Sheet, Owner::Tenant),
    ] {
        insta::assert_snapshot!(json(&DocumentRow::new(DocumentVersion {
            document: document(),
            created_at_ms: NOW_MS,
            owner,
            title: "Essay".to_owned(),
            kind,
            content: String::new(),
        })));
    }
}

#[test]
fn every_kind_of_document_has_the_name_it_is_stored_under() {
    for kind in [
        DocumentKind::Text,
        DocumentKind::Code,
        DocumentKind::Image,
        DocumentKind::Sheet,
    ] {
        let name = json(&DocumentKindName::from(kind));
        assert_eq!(name, format!("\"{}\"", kind.as_str()));
    }
}

#[test]
fn a_suggestion_with_and_without_a_reason() {
    for description in [Some("Say how many.".to_owned()), None] {
        insta::assert_snapshot!(json(&SuggestionRow::new(Suggestion {
            id: Uuid::from_u128(7),
            document: document(),
            version_at_ms: NOW_MS,
            original: "many".to_owned(),
            suggested: "hundreds".to_owned(),
            description,
            resolved: false,
            user: UserId::new(Uuid::from_u128(2)),
            created_at_ms: NOW_MS + 1,
        })));
    }
}

#[test]
fn votes_counts_and_uploads() {
    let chat = conversation().id;
    let message = MessageId::new(Uuid::from_u128(3));
    insta::assert_snapshot!(json(&[
        VoteRow::new(chat, message, Rating::Up),
        VoteRow::new(chat, message, Rating::Down),
    ]));
    assert_eq!(
        json(&DeletedResponse::new(7)),
        "{\"deletedCount\":7,\"deleted\":7}"
    );
    insta::assert_snapshot!(json(&UploadResponse {
        url: "https://x.example/api/files/blob/r/a.png".to_owned(),
        download_url: "https://x.example/api/files/blob/r/a.png?download=1".to_owned(),
        pathname: "a.png".to_owned(),
        content_type: "image/png".to_owned(),
        content_disposition: "inline; filename=\"a.png\"".to_owned(),
    }));
}

#[test]
fn models_are_listed_once_and_in_order() {
    let model = |id: &str, vision| ModelRow {
        id: id.to_owned(),
        name: "Chat model".to_owned(),
        provider: "openai".to_owned(),
        description: String::new(),
        capabilities: ModelCapabilities {
            tools: true,
            vision,
            reasoning: false,
        },
    };
    let models = ModelsResponse::new([model("z", true), model("a", false), model("z", false)]);
    insta::assert_snapshot!(json(&models));
}
