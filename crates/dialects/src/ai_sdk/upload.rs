//! What uploads are refused with (`docs/wire/ai-sdk.md` W37). Their clients show these sentences as they are.

use super::{ApiError, ErrorKind, Surface};

/// The most bytes of a file.
pub const MAX_UPLOAD: usize = 5 * 1024 * 1024;

/// Why a file was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadFault {
    /// The form has no field `file`.
    NoFile,
    /// It has more than [`MAX_UPLOAD`] bytes.
    TooLarge,
    /// It is neither a JPEG nor a PNG.
    WrongType,
    /// The body is no form, or broke off.
    Unreadable,
    /// It could not be stored.
    NotStored,
}

impl UploadFault {
    /// What is told of it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoFile => "No file uploaded",
            Self::TooLarge => "File size should be at most 5 MB",
            Self::WrongType => "File type should be JPEG or PNG",
            Self::Unreadable => "The upload could not be read",
            Self::NotStored => "Upload failed",
        }
    }

    const fn kind(self) -> ErrorKind {
        match self {
            Self::NoFile | Self::TooLarge | Self::WrongType => ErrorKind::BadRequest,
            Self::Unreadable | Self::NotStored => ErrorKind::Internal,
        }
    }
}

impl ApiError {
    /// An upload with all these faults, in this order; its body is
    /// [`with_cause_as_error`](super::ErrorBody::with_cause_as_error).
    ///
    /// The first says which status.
    pub fn upload(faults: &[UploadFault]) -> Self {
        let kind = faults
            .first()
            .map_or(ErrorKind::Internal, |fault| fault.kind());
        let sentences: Vec<&str> = faults.iter().map(|fault| fault.sentence()).collect();
        Self::new(kind, Surface::Api).with_cause(sentences.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // docs/wire/ai-sdk.md W37.
    #[test]
    fn the_sentences_of_all_faults_are_shown() {
        let error = ApiError::upload(&[UploadFault::TooLarge, UploadFault::WrongType]);
        assert_eq!(error.status(), 400);
        insta::assert_snapshot!(
            String::from_utf8(error.body(Some("r1")).with_cause_as_error().to_json()).unwrap()
        );
        for (fault, status) in [
            (UploadFault::NoFile, 400),
            (UploadFault::Unreadable, 500),
            (UploadFault::NotStored, 500),
        ] {
            assert_eq!(ApiError::upload(&[fault]).status(), status);
        }
    }

    #[test]
    fn a_caller_without_a_token_is_told_in_the_same_shape() {
        let error = ApiError::new(ErrorKind::Unauthorized, Surface::Api);
        insta::assert_snapshot!(
            String::from_utf8(error.body(Some("r1")).with_cause_as_error().to_json()).unwrap()
        );
    }
}
