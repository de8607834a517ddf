//! Blocking work in asynchronous code.

/// Runs `work` on a thread that may block, and propagates its panics.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Cancelled: the runtime is shutting down, and nothing polls this future.
            Err(_) => std::future::pending().await,
        },
    }
}
