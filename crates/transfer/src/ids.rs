//! Ids of what had none of ours: the same foreign name gives the same id in every import.

use chat_core::id::UserId;
use uuid::Uuid;

/// The namespace of all derived ids. It never changes: an id must be found again by a later import.
const NAMESPACE: Uuid = Uuid::from_u128(0x9e0c_6a1f_5d0b_4c38_8a55_3f1c_27d4_b0e6);

/// The id (version 5) of the thing of this sort that has this natural key.
///
/// Each piece is preceded by its length, so that no two keys run together.
pub(crate) fn derived(sort: &str, key: &[&str]) -> Uuid {
    let mut name = Vec::new();
    for piece in std::iter::once(&sort).chain(key) {
        name.extend_from_slice(&(piece.len() as u64).to_be_bytes());
        name.extend_from_slice(piece.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

/// A UUID in its 36-character form, as itself.
pub(crate) fn uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
}

/// The UUID that a foreign id is, or else the one derived from it.
pub(crate) fn own_or_derived(sort: &str, id: &str) -> Uuid {
    uuid(id).unwrap_or_else(|| derived(sort, &[id]))
}

/// The user whom a web chat knows by this id.
pub(crate) fn web_chat_user(id: &str) -> UserId {
    UserId::new(own_or_derived("web-chat/user", id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_gives_the_same_id_for_ever_and_another_key_another() {
        assert_eq!(
            derived("web-chat/user", &["alice"]).to_string(),
            "32e884e5-d786-57d7-b2df-4971e28e81a0",
            "an import of an earlier release must find its records again"
        );
        assert_ne!(derived("a", &["b", "c"]), derived("a", &["bc"]));
        assert_ne!(derived("a", &["bc"]), derived("ab", &["c"]));
        let own = "67E55044-10b1-426f-9247-bb680e5fe0c8";
        assert_eq!(
            own_or_derived("a", own).to_string(),
            own.to_lowercase(),
            "a UUID stays itself"
        );
    }
}
