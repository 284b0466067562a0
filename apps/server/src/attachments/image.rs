use dialects::ai_sdk::UploadFault;
use imagesize::ImageType;

/// The longest side of an image, in pixels.
const MAX_SIDE: usize = 16_384;
/// The most pixels of an image. A page that shows it unpacks it to four bytes for each of them, whatever the file weighs.
const MAX_PIXELS: usize = 100_000_000;

/// What sort of image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    /// A JPEG.
    Jpeg,
    /// A PNG.
    Png,
}

/// Why bytes are not taken as an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoImage {
    /// They are neither a JPEG nor a PNG, or one whose size cannot be read.
    #[error("{}", UploadFault::WrongType.sentence())]
    OtherType,
    /// It is one, but would be too large when it is shown.
    #[error(
        "Image should have at most {MAX_SIDE} pixels a side and {} million pixels in all",
        MAX_PIXELS / 1_000_000
    )]
    TooManyPixels,
}

impl ImageKind {
    /// What these bytes begin as, whatever they are called.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let found = imagesize::image_type(bytes).ok()?;
        let png = matches!(found, ImageType::Png).then_some(Self::Png);
        png.or_else(|| matches!(found, ImageType::Jpeg).then_some(Self::Jpeg))
    }

    /// What these bytes are, if they can be shown.
    pub fn check(bytes: &[u8]) -> Result<Self, NoImage> {
        let kind = Self::of(bytes).ok_or(NoImage::OtherType)?;
        let size = imagesize::blob_size(bytes).map_err(|_unreadable| NoImage::OtherType)?;
        let (width, height) = (size.width, size.height);
        if width == 0 || height == 0 {
            return Err(NoImage::OtherType);
        }
        let fits = width.max(height) <= MAX_SIDE
            && width
                .checked_mul(height)
                .is_some_and(|pixels| pixels <= MAX_PIXELS);
        if fits {
            Ok(kind)
        } else {
            Err(NoImage::TooManyPixels)
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// The kind of this media type.
    pub fn from_media_type(name: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png]
            .into_iter()
            .find(|kind| kind.media_type() == name)
    }

    /// What a file of it is called that came without a name.
    pub const fn default_name(self) -> &'static str {
        match self {
            Self::Jpeg => "image.jpg",
            Self::Png => "image.png",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8];
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes.extend([1, 1, 0x11, 0]);
        bytes
    }

    #[test]
    fn images_are_known_by_their_bytes() {
        assert_eq!(ImageKind::check(&png(1, 1)), Ok(ImageKind::Png));
        assert_eq!(ImageKind::check(&jpeg(640, 480)), Ok(ImageKind::Jpeg));
        assert_eq!(ImageKind::check(&png(16_384, 6_103)), Ok(ImageKind::Png));
    }

    #[test]
    fn what_a_page_could_not_hold_is_refused_whatever_it_weighs() {
        for bytes in [
            png(16_385, 1),
            png(1, u32::MAX),
            png(u32::MAX, u32::MAX),
            png(10_001, 10_000),
            jpeg(65_535, 65_535),
        ] {
            assert_eq!(ImageKind::check(&bytes), Err(NoImage::TooManyPixels));
        }
        assert_eq!(ImageKind::check(&png(0, 1)), Err(NoImage::OtherType));
    }

    #[test]
    fn whatever_else_comes_is_no_image_and_no_fault() {
        let whole = [png(2, 2), jpeg(2, 2)];
        for bytes in &whole {
            for end in 0..bytes.len() {
                let read = ImageKind::check(&bytes[..end]);
                assert!(read.is_ok() || read == Err(NoImage::OtherType));
            }
        }
        for bytes in [
            b"<svg xmlns='http://www.w3.org/2000/svg'/>".as_slice(),
            b"GIF89a\x01\0\x01\0\0\0\0",
            b"RIFF\x1a\0\0\0WEBPVP8L",
            b"\xff\xd8\xff\xe0\0\0\xff\xd8\xff\xe0\0\0",
            b"",
        ] {
            assert_eq!(ImageKind::check(bytes), Err(NoImage::OtherType));
        }
    }
}
