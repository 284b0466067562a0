//! The setting that says which versions of the frontend there are (`docs/wire/ai-sdk.md` W5).

use chat_core::run::Leg;
use serde_json::{Value, json};

/// Which chunks the frontend's parser knows; an unknown one ends its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AiSdkChunks {
    /// Those that every parser from version 5 on knows.
    #[default]
    All,
    /// Those of version 6 too: approvals and denials.
    V6,
    /// Those of version 7 too; for now the same as of version 6.
    V7,
}

impl AiSdkChunks {
    /// Reads a setting: `all`, `v6` or `v7`; `None` for any other.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "v6" => Some(Self::V6),
            "v7" => Some(Self::V7),
            _ => None,
        }
    }

    /// What a leg is opened with, so that its frames stay the same when the setting is changed.
    pub fn echo(self) -> Value {
        let name = match self {
            Self::All => "all",
            Self::V6 => "v6",
            Self::V7 => "v7",
        };
        json!({ "chunks": name })
    }

    /// What this leg was opened with; the default for one that another dialect opened.
    pub(super) fn of(leg: &Leg) -> Self {
        let name = leg
            .echo
            .as_ref()
            .and_then(|echo| echo.get("chunks")?.as_str());
        name.and_then(Self::from_name).unwrap_or_default()
    }

    /// Whether approvals and denials have chunks of their own.
    pub(super) const fn has_approvals(self) -> bool {
        match self {
            Self::All => false,
            Self::V6 | Self::V7 => true,
        }
    }
}
