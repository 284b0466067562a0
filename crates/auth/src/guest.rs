//! Names for guests.

/// An e-mail address for a new guest: `guest-` and digits, by which frontends know a guest.
///
/// `now_ms` is the time in milliseconds since the Unix epoch. Two guests may come in one millisecond, so the address
/// can be taken: try again with another `attempt`, which changes it. Attempt 0 gives the bare time; any other
/// number, a random one too, is written behind it in ten digits, so that no two pairs of time and attempt give the
/// same address while times have thirteen digits.
pub fn guest_email(now_ms: i64, attempt: u32) -> String {
    let now = now_ms.unsigned_abs();
    if attempt == 0 {
        format!("guest-{now}")
    } else {
        format!("guest-{now}{attempt:010}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_known_by_digits_and_another_attempt_is_another_guest() {
        assert_eq!(guest_email(1_765_485_481_000, 0), "guest-1765485481000");
        assert_eq!(
            guest_email(1_765_485_481_000, 7),
            "guest-17654854810000000000007"
        );
        for (now, attempt) in [(0, 0), (-5, 1), (i64::MIN, u32::MAX), (i64::MAX, u32::MAX)] {
            let email = guest_email(now, attempt);
            let digits = email.strip_prefix("guest-").unwrap();
            assert!(!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
            assert!(email.len() <= 64);
        }
    }
}
