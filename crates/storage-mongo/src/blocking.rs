use crate::error::Failure;

/// Does work that is long when `is_long` says so on the pool for such work, and here otherwise.
pub(crate) async fn aside<T: Send + 'static>(
    is_long: bool,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if !is_long {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_panicked) => Err(Failure::Misuse(
            "an operation of the store panicked".to_owned(),
        )),
    }
}

/// From how many bytes on text is work for that pool.
pub(crate) const LONG: usize = 64 * 1024;
