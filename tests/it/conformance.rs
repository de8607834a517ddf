//! One list of cases, run against every adapter of a port.

/// One module per adapter with one test per case: calls `cases::CASE` with a fixture of the adapter.
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
