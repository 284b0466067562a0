use proptest::prelude::*;

use super::*;

#[test]
fn a_face_is_prefix_uuid_and_ordinal() {
    let check = |uuid: u128, ordinal, face: &str| {
        assert_eq!(encode("txt_", Uuid::from_u128(uuid), ordinal), face);
        assert_eq!(decode("txt_", face), Ok((Uuid::from_u128(uuid), ordinal)));
    };
    check(0, 0, "txt_0000000000000000000000");
    check(61, 0, "txt_000000000000000000000z");
    check(62, 1, "txt_00000000000000000000101");
    check(u128::MAX, 61, "txt_7n42DGM5Tflk9n8mt7Fhc7z");
    check(u128::MAX, 62, "txt_7n42DGM5Tflk9n8mt7Fhc710");
    check(u128::MAX, u32::MAX, "txt_7n42DGM5Tflk9n8mt7Fhc74gfFC3");
}

#[test]
fn every_other_spelling_is_refused() {
    for face in [
        "",
        "txt_",
        "txt",
        "0000000000000000000000",
        "rsn_0000000000000000000000",
        "TXT_0000000000000000000000",
        "txt_000000000000000000000",    // a digit short
        "txt_00000000000000000000000",  // ordinal 0 has no suffix
        "txt_000000000000000000000001", // a leading zero
        "txt_7n42DGM5Tflk9n8mt7Fhc8",   // one more than 128 bits hold
        "txt_zzzzzzzzzzzzzzzzzzzzzz",
        "txt_00000000000000000000004gfFC4", // one more than 32 bits hold
        "txt_0000000000000000000000zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
        "txt_000000000000000000000-",
        "txt_000000000000000000000 ",
        "txt_00000000000000000000é",
        "txt_000000000000000000000é1",
    ] {
        assert_eq!(decode("txt_", face), Err(InvalidFace), "{face}");
    }
}

proptest! {
    #[test]
    fn a_face_reads_back_as_what_it_was_made_of(uuid in any::<u128>(), ordinal in any::<u32>()) {
        let uuid = Uuid::from_u128(uuid);
        let face = encode("p_", uuid, ordinal);
        prop_assert_eq!(decode("p_", &face), Ok((uuid, ordinal)));
    }

    #[test]
    fn whatever_is_read_is_spelled_the_one_way(face in "p_[0-9A-Za-z]{20,30}") {
        if let Ok((uuid, ordinal)) = decode("p_", &face) {
            prop_assert_eq!(encode("p_", uuid, ordinal), face);
        }
    }

    #[test]
    fn nothing_that_a_client_sends_is_harmful(face in ".*") {
        let _ = decode("", &face);
    }
}
