//! One list of cases, run on every adapter of a port.

/// A module for each adapter with a test for each case: `cases::CASE` is called with a fixture of the adapter.
macro_rules! on_every {
    ($cases:tt; $($(#[$gate:meta])? $adapter:ident = $fixture:expr),* $(,)?) => {
        $(
            $(#[$gate])?
            mod $adapter {
                $crate::conformance::on_every!(@each $fixture, $cases);
            }
        )*
    };
    (@each $fixture:expr, { $($case:ident)* }) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::cases::$case(&$fixture).await;
            }
        )*
    };
}

pub(crate) use on_every;
