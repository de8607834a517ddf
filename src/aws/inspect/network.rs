//! Whether subnets and security groups exist and belong to one VPC.

use std::collections::{BTreeMap, BTreeSet};

use super::{bad, good, quoted, unseen};
use crate::aws::api::{AwsRequest, RequestBody, Service, records};
use crate::aws::{Aws, AwsError, AwsLocation};
use crate::domain::CheckResult;

/// The VPC of each subnet or security group found, by its id.
type Networks = BTreeMap<String, String>;

/// Checks the subnets and security groups of tasks with one request each. Requires at least one subnet.
pub async fn inspect(
    aws: &Aws,
    place: &AwsLocation,
    subnets: &[String],
    groups: &[String],
) -> (CheckResult, Option<CheckResult>) {
    let of_subnets = networks(aws, place, &SUBNETS, subnets);
    let of_groups = async {
        match groups {
            [] => None,
            groups => Some(networks(aws, place, &GROUPS, groups).await),
        }
    };
    let (of_subnets, of_groups) = futures::join!(of_subnets, of_groups);
    let subnets = judge("subnet", subnets, &of_subnets);
    let vpc = of_subnets.as_ref().ok().and_then(|found| found.values().next());
    let groups = of_groups.map(|found| match judge("security group", groups, &found) {
        CheckResult::Good(_) => fits(found.unwrap_or_default(), vpc),
        other => other,
    });
    (subnets, groups)
}

/// A kind of resource that belongs to a VPC, and how to query it.
struct Kind {
    action: &'static str,
    filter: &'static str,
    path: [&'static str; 2],
    id: &'static str,
}

const SUBNETS: Kind =
    Kind { action: "ec2:DescribeSubnets", filter: "subnet-id", path: ["subnetSet", "item"], id: "subnetId" };

const GROUPS: Kind = Kind {
    action: "ec2:DescribeSecurityGroups",
    filter: "group-id",
    path: ["securityGroupInfo", "item"],
    id: "groupId",
};

/// Queries by filter: a query by ids fails as a whole if one of them does not exist.
async fn networks(aws: &Aws, place: &AwsLocation, kind: &Kind, ids: &[String]) -> Result<Networks, AwsError> {
    let ids: BTreeSet<&String> = ids.iter().collect();
    let mut pairs = vec![("Filter.1.Name".to_owned(), kind.filter.to_owned())];
    pairs.extend(ids.iter().zip(1..).map(|(id, at)| (format!("Filter.1.Value.{at}"), (*id).clone())));
    let resource = quoted(ids.iter().copied());
    let (service, action, words) = (Service::Ec2, kind.action, RequestBody::Query(pairs));
    let answer = aws.ask(place, AwsRequest { service, action, resource: &resource, words }).await?;
    let found = records(&answer, &kind.path, [kind.id, "vpcId"]).into_iter().map(|[id, vpc]| (id, vpc));
    Ok(found.filter(|(id, _)| ids.contains(id)).collect())
}

fn judge(kind: &str, ids: &[String], found: &Result<Networks, AwsError>) -> CheckResult {
    let found = match found {
        Ok(found) => found,
        Err(error) => return unseen(error),
    };
    let missing: BTreeSet<&String> = ids.iter().filter(|id| !found.contains_key(*id)).collect();
    if !missing.is_empty() {
        let problem = format!("there is no {kind} {} in the cluster's region", quoted(missing));
        return bad(problem, "correct it, or `region`, in the fleet");
    }
    let all: BTreeSet<&String> = found.values().collect();
    match all.len() {
        0 | 1 => good(format!("exist, in the VPC {}", quoted(all))),
        _ => {
            let each = found.iter().map(|(id, vpc)| format!("`{id}` to `{vpc}`"));
            let problem = format!("they belong to several VPCs: {}", each.collect::<Vec<_>>().join(", "));
            bad(problem, "name only those of one VPC; a task cannot span several")
        }
    }
}

/// Whether the groups, all of one VPC, belong to the VPC of the subnets. Unknown if that VPC is.
fn fits(groups: Networks, subnets: Option<&String>) -> CheckResult {
    let (Some(own), Some(theirs)) = (groups.into_values().next(), subnets) else {
        return CheckResult::Unknown("the VPC of the subnets is unknown".to_owned());
    };
    if own == *theirs {
        return good("belong to the VPC of the subnets");
    }
    let problem = format!("they belong to the VPC `{own}`, and the subnets to `{theirs}`");
    bad(problem, "name groups of the subnets' VPC, or subnets of the groups'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(ids: &[&str], found: &[(&str, &str)]) -> String {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let found = found.iter().map(|(id, vpc)| ((*id).to_owned(), (*vpc).to_owned())).collect();
        match judge("subnet", &ids, &Ok(found)) {
            CheckResult::Good(said) | CheckResult::Unknown(said) => said,
            CheckResult::Bad { problem, .. } => problem,
        }
    }

    #[test]
    fn all_subnets_must_exist_and_belong_to_one_vpc() {
        assert_eq!(said(&["a", "b"], &[("a", "v"), ("b", "v")]), "exist, in the VPC `v`");
        assert_eq!(said(&["a", "b"], &[("a", "v")]), "there is no subnet `b` in the cluster's region");
        assert_eq!(
            said(&["a", "b"], &[("a", "v"), ("b", "w")]),
            "they belong to several VPCs: `a` to `v`, `b` to `w`"
        );
    }
}
