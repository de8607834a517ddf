//! Counts every request sent to AWS, by service and operation.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Requests of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests sent, including retries: what AWS throttles and bills.
    pub sent: u64,
    /// How many of these were retries, after no response or a throttled one.
    pub retries: u64,
}

/// Counts of requests by `Service.Operation`. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<BTreeMap<String, Count>>>);

impl Calls {
    /// The counts so far, ordered by operation.
    pub fn by_name(&self) -> BTreeMap<String, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sum over all operations.
    pub fn total(&self) -> Count {
        let add =
            |sum: Count, one: &Count| Count { sent: sum.sent + one.sent, retries: sum.retries + one.retries };
        self.by_name().values().fold(Count::default(), add)
    }
}

/// The total, then one line per operation.
impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { sent, retries } = self.total();
        write!(f, "calls to AWS: {sent}")?;
        if retries > 0 {
            write!(f, " ({retries} of them retries)")?;
        }
        for (name, Count { sent, retries }) in self.by_name() {
            write!(f, "\n  {sent:>6}  {name}")?;
            if retries > 0 {
                write!(f, " ({retries} of them retries)")?;
            }
        }
        Ok(())
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let name = bag.load::<Metadata>().map_or_else(String::new, |metadata| {
            format!("{}.{}", metadata.service().replace(' ', ""), metadata.name())
        });
        let again = bag.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name).or_default();
        count.sent += 1;
        count.retries += u64::from(again);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_shows_the_total_and_every_operation() {
        let calls = Calls::default();
        assert_eq!(calls.to_string(), "calls to AWS: 0");
        calls.0.lock().unwrap().insert("DynamoDB.Query".into(), Count { sent: 12, retries: 2 });
        calls.0.lock().unwrap().insert("S3.GetObject".into(), Count { sent: 1, retries: 0 });
        assert_eq!(
            calls.to_string(),
            "calls to AWS: 13 (2 of them retries)\n      12  DynamoDB.Query (2 of them retries)\n       1  S3.GetObject"
        );
    }
}
