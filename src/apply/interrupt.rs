//! Ctrl-C: a wish to stop that everything in progress can see.

use tokio::sync::watch;

/// The side that can be interrupted.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

/// The side that interrupts.
#[derive(Debug)]
pub struct Interrupter(watch::Sender<bool>);

impl Interrupter {
    /// Both sides.
    pub fn new() -> (Self, Interrupt) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Interrupt(receiver))
    }

    /// Asks everything to stop.
    pub fn interrupt(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// Whether it was asked to stop.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is asked to stop; never, if nobody can ask any more.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|set| *set).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
